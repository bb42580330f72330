"""The copy meter in the browser counts what :mod:`symphony.evaluation.originality` counts."""

import numpy as np
import pytest

from symphony import load, load_corpus
from symphony.errors import FileError
from symphony.evaluation import Originality
from symphony.evaluation.index import OriginalityIndex
from symphony.evaluation.onsets import onsets
from symphony.experiments import shipped_folder
from symphony.live.browser import source
from symphony.live.copies import BITS, BOUNDARY, KEPT, CopyIndex
from symphony.song import Song

LENGTHS = (8, 23)
HEAR = """async (songs) => {
  globalThis.index ??= await play.CopyIndex.unpack(symphonyCopies);
  return songs.map((song) => {
    const meter = new play.CopyMeter(index);
    for (const [time, pitches] of song) meter.hear(time, pitches);
    meter.close();
    return [meter.longest.run, meter.longest.piece, meter.recent.length, meter.words];
  });
}"""


@pytest.fixture(scope="module")
def index(chorales):
    return CopyIndex.of_corpus(chorales, LENGTHS)


def opened(browser, home, index):
    index.write_script(home / "copies.js")
    script = f"{source('copies.js')}\nglobalThis.play = {{ CopyIndex, CopyMeter, copyLine }};"
    (home / "copies.html").write_text(
        '<!doctype html><meta charset="utf-8"><body><script src="copies.js"></script>'
        f'<script type="module">{script}</script>',
        "utf-8",
    )
    page = browser.new_page()
    page.goto((home / "copies.html").as_uri())
    page.wait_for_function("globalThis.play")
    return page


def steps(song):
    """A song as an improviser's steps, a note at a time."""
    return [[t, [p]] for t, p in zip(song.onset.tolist(), song.pitch.tolist(), strict=True)]


def random_song(seed, count=200):
    rng = np.random.default_rng(seed)
    onset = np.sort(rng.random(count) * 30)
    return Song(onset, np.full(count, 0.2), rng.integers(21, 109, count), np.full(count, 80))


def test_the_index_holds_short_hashes_and_what_unseen_music_shares(index, chorales):
    whole = OriginalityIndex(list(chorales.train))
    assert index.symbols.max() < 2**BITS < BOUNDARY
    np.testing.assert_array_equal(index.symbols, whole.tokens & np.uint64(2**BITS - 1))
    assert len(index.names) == len(chorales.train) == len(index.begins) - 1
    expected = Originality.of_corpus(chorales)
    for i, length in enumerate(LENGTHS):
        runs = expected.reference(length)["run"]
        assert index.median[i] == np.median(runs)
        assert index.p95[i] == np.percentile(runs, 95)


def test_it_is_kept_and_read_again(index, tmp_path):
    index.save(tmp_path / "x.npz")
    again = CopyIndex.load(tmp_path / "x.npz")
    assert again.packed() == index.packed()
    assert again.fingerprint == index.fingerprint
    with pytest.raises(FileError, match="can't be read"):
        CopyIndex.load(tmp_path / "y.npz")
    for content in (b"", b"PK\x03\x04", b"no index"):
        (tmp_path / "z.npz").write_bytes(content)
        with pytest.raises(FileError, match="holds no index of copies"):
            CopyIndex.load(tmp_path / "z.npz")


def test_the_browser_counts_what_python_counts(browser, tmp_path, index, chorales):
    whole = OriginalityIndex(list(chorales.train))
    passage = chorales.train[3].slice(4, 24)
    songs = [passage, passage.transposed(3), passage.slice(0, 6), *chorales.test[:6]]
    chance = [random_song(seed) for seed in range(3)]
    few = [random_song(0, count) for count in (0, 1)]
    page = opened(browser, tmp_path, index)
    found = page.evaluate(HEAR, [steps(song) for song in [*songs, *chance, *few]])
    page.close()
    for song, row in zip([*songs, *chance, *few], found, strict=True):
        assert row[2] == len(onsets(song))
    assert [row[0] for row in found[: len(songs)]] == [whole.longest_run(song) for song in songs]
    assert found[0][0] == found[1][0] == len(onsets(passage))  # a copy, whatever its key
    assert "more than nineteen in twenty share" in found[0][3]
    for song, row in zip(chance, found[len(songs) :], strict=False):  # short hashes meet by chance
        assert 0 <= row[0] - whole.longest_run(song) <= 2
    assert [row[:3] for row in found[-2:]] == [[0, None, 0]] * 2
    assert found[-1][3] == ""


def test_a_line_waits_for_its_index_and_begins_anew(browser, tmp_path, index, chorales):
    page = opened(browser, tmp_path, index)
    notes = [[t, [[p, 80]]] for t, (p,) in steps(chorales.train[0].slice(0, 10))]
    said = page.evaluate(
        """async (notes) => {
          let give;
          const later = new Promise((done) => (give = done));
          const copies = play.copyLine(() => later), said = [];
          copies.begin();
          for (const [time, struck] of notes) copies.hear(time, struck);
          copies.hear(99, [[60, 0]]); // a key that goes up
          said.push(copies.line.textContent);
          give(symphonyCopies);
          while (!copies.line.meter) await new Promise((done) => setTimeout(done));
          copies.end();
          said.push(copies.line.meter.longest.run, copies.line.textContent);
          copies.begin();
          said.push(copies.line.textContent, copies.line.meter.longest.run);
          const broken = play.copyLine(() => Promise.reject(new Error()));
          broken.hear(0, [[60, 80]]);
          await new Promise((done) => setTimeout(done));
          broken.hear(1, [[60, 80]]);
          broken.end();
          said.push(broken.line.textContent);
          return said;
        }""",
        notes,
    )
    page.close()
    expected = len(onsets(chorales.train[0].slice(0, 10)))
    assert said[0] == ""
    assert said[1] == expected
    assert f"{expected} onsets" in said[2]
    assert said[3:5] == ["", 0]
    assert said[5] == "The copy meter can't be loaded here."


def test_the_kept_index_is_the_training_musics(browser, tmp_path, data_folder):
    pianist = load("conditional-char-rnn")
    kept = CopyIndex.load(shipped_folder("conditional-char-rnn") / KEPT)
    assert kept.fingerprint == pianist.card.corpus["fingerprint"]
    assert (shipped_folder("conditional-char-rnn") / KEPT).stat().st_size < 1_100_000
    corpus = load_corpus("asap", progress=False)
    whole = OriginalityIndex(list(corpus.train))
    np.testing.assert_array_equal(kept.symbols, whole.tokens & np.uint64(2**BITS - 1))
    songs = [corpus.train[i].slice(10, 20) for i in (0, 300)]
    songs += [corpus.test[i].slice(0, 30) for i in (0, 40, 80)]
    songs += [pianist.compose(20, seed=2)[0], random_song(1)]
    page = opened(browser, tmp_path, kept)
    found = page.evaluate(HEAR, [steps(song) for song in songs])
    page.close()
    assert [row[0] for row in found] == [whole.longest_run(song) for song in songs]
    assert [row[0] for row in found[:2]] == [len(onsets(song)) for song in songs[:2]]
