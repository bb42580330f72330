"""How well durations and velocities are refined, beside simpler ways to do it (chapter 11)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from symphony.codecs import AbcCodec, distort, to_elements
from symphony.codecs.abc import bar_lengths, headers
from symphony.codecs.elements import Elements
from symphony.codecs.steps import LONGEST, NEXT
from symphony.evaluation import bootstrap
from symphony.song import Song
from symphony.systems.duration_net.system import BEYOND
from symphony.systems.refining import EMBEDDED
from symphony.systems.velocity_net.system import onset_arrays
from symphony.training import Trained

if TYPE_CHECKING:
    from symphony.corpora import Corpus

Quantizer = Callable[[np.ndarray, np.ndarray], np.ndarray]  # tokens, heard [t] -> sixteenths [t]
LEVELS = {  # what each curve distorts by, from nothing to twice what training heard
    "stretch": [{"stretch": level} for level in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)],
    "human": [{"jitter": 0.2 * x, "drift": 0.1 * x} for x in (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)],
}
BINS = 100  # of heard lengths, when they are counted
EXACT = 0.02  # sixteenths by which a length may miss
TEMPI = np.log(1.25) * np.linspace(-1, 1, 9)  # logarithms, between which a tempo wanders
LOWEST, HIGHEST = 21, 108  # pitches of a piano
STAY = 0.9  # how likely it stays where it is, from one element to the next


def leave_alone(token: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Every length as it was heard."""
    return heard


def round_to_grid(token: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Every length to the nearest whole number of sixteenths, on its own."""
    return np.maximum(heard.round(), 1)


def music21_quantize(token: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """music21's ``Stream.quantize`` to sixteenths: onsets and lengths each to the nearest."""
    from music21 import note, stream

    wait = token == NEXT
    onset = np.cumsum(np.where(wait, heard, 0.0))
    music = stream.Stream()
    for at in np.flatnonzero(~wait):
        music.insert(onset[at] / 4, note.Note(int(token[at]), quarterLength=heard[at] / 4))
        music[-1].editorial.element = at
    music.quantize((4,), processOffsets=True, processDurations=True, inPlace=True)
    out, placed = np.empty(len(token)), np.empty(len(token))
    for each in music.notes:
        at = each.editorial.element
        out[at], placed[at] = 4 * float(each.quarterLength), 4 * float(each.offset)
    chord = np.flatnonzero(wait)
    out[chord] = placed[chord + 1] - placed[chord - 1]  # notes stand on either side of a wait
    return out


@dataclass(frozen=True)
class CountingQuantizer:
    """What was written most often where a length was heard: Bayes' rule with a table.

    Attributes:
        commonest: sixteenths for each bin of heard lengths, a quarter of a sixteenth wide.
    """

    commonest: Int64[np.ndarray, " bins"]

    @classmethod
    def fit(cls, songs: Iterable[Song], noise: Mapping[str, float]) -> CountingQuantizer:
        """Hear the lengths of songs with ``noise`` once, and count."""
        counts, rng = np.zeros((BINS, LONGEST)), np.random.default_rng(0)
        for song in songs:
            elements = to_elements(song)
            written = elements.length.round().clip(1, LONGEST).astype(int)
            heard = distort(elements.token[None], written[None].astype(float), rng, **noise)[0]
            np.add.at(counts, (_bins(heard), written - 1), 1)
        rounded = (np.arange(BINS) / 4).round().clip(1).astype(int)  # where none was heard
        return cls(np.where(counts.any(axis=1), counts.argmax(axis=1) + 1, rounded))

    def __call__(self, token: np.ndarray, heard: np.ndarray) -> np.ndarray:
        """Sixteenths of each element."""
        return np.where(heard > BEYOND, heard.round(), self.commonest[_bins(heard)])


def _bins(heard: np.ndarray) -> np.ndarray:
    return np.minimum((4 * heard).round().astype(int), BINS - 1)


@dataclass(frozen=True)
class ViterbiQuantizer:
    """The likeliest lengths under a bigram prior and a tempo that wanders, found exactly.

    The idea of Cemgil & Kappen, "Monte Carlo methods for tempo tracking and rhythm
    quantization", JAIR 2003, on a grid of tempi: dynamic programming then needs no sampling.

    Attributes:
        log_prior: of length k after length j, [wait before, wait now, j, k].
        sigma: standard deviation of the logarithm of heard over written length.
    """

    log_prior: Float64[np.ndarray, "2 2 16 16"]
    sigma: float

    @classmethod
    def fit(cls, songs: Iterable[Song], noise: Mapping[str, float]) -> ViterbiQuantizer:
        """Count the lengths of songs; hear them with ``noise`` once, for its sigma."""
        counts, ratios = np.full((2, 2, LONGEST, LONGEST), 0.1), []
        rng, still = np.random.default_rng(0), dict(noise) | {"drift": 0.0}  # the tempo hears drift
        for song in songs:
            elements = to_elements(song)
            wait, length = (elements.token == NEXT).astype(int), elements.length
            length = length.round().clip(1, LONGEST).astype(int)
            np.add.at(counts, (wait[:-1], wait[1:], length[:-1] - 1, length[1:] - 1), 1)
            heard = distort(elements.token[None], length[None].astype(float), rng, **still)[0]
            ratios.append(np.log(heard / length))
        log_prior = np.log(counts / counts.sum(-1, keepdims=True))
        return cls(log_prior, max(float(np.concatenate(ratios).std()), 0.02))

    def __call__(self, token: np.ndarray, heard: np.ndarray) -> np.ndarray:
        """Sixteenths of each element."""
        wait, classes = (token == NEXT).astype(int), np.log(np.arange(1, LONGEST + 1))
        off = np.log(heard)[:, None, None] - classes[:, None] - TEMPI  # [t, class, tempo]
        fits = -((off / self.sigma) ** 2) / 2
        stays, moves = np.log(STAY), np.log((1 - STAY) / 2)
        score, back = fits[0] - (TEMPI / 0.1) ** 2 / 2, []
        tempi = np.arange(len(TEMPI))
        for t in range(1, len(token)):
            lower = np.pad(score[:, :-1] + moves, ((0, 0), (1, 0)), constant_values=-np.inf)
            upper = np.pad(score[:, 1:] + moves, ((0, 0), (0, 1)), constant_values=-np.inf)
            ways = np.stack([lower, score + stays, upper])  # [from a tempo, class j, tempo]
            came, best = ways.argmax(0), ways.max(0)
            paths = best[:, None] + self.log_prior[wait[t - 1], wait[t]][..., None]  # [j, k, tempo]
            before = paths.argmax(0)  # [k, tempo]
            back.append((before, tempi + came[before, tempi] - 1))
            score = paths.max(0) + fits[t]
        k, m = np.unravel_index(score.argmax(), score.shape)
        out = [k]
        for before, tempo in reversed(back):
            k, m = before[k, m], tempo[k, m]
            out.append(k)
        return np.where(heard > BEYOND, heard.round(), np.array(out[::-1]) + 1)


def bar_lines(song: Song) -> np.ndarray:
    """Where the bars of one of the embedded chorales begin, in sixteenths, and where they end."""
    from symphony.corpora import chorales

    measures = chorales.score(song.name).parts[0].getElementsByClass("Measure")
    ends = float(measures[-1].offset + measures[-1].quarterLength)
    return 4 * np.array([*(float(each.offset) for each in measures), ends])


def tune_bar_lines(song: Song) -> np.ndarray | None:
    """Where the bars of a tune from ABC begin, in sixteenths, repeats played.

    None without a meter, where bars are not full (but for one beside a repeat, which the pickup
    after it fills), or where the whole doesn't come out even: what is played then has bars that
    the text doesn't show.
    """
    found = headers(song)
    if found is None or song.onset_quarters is None or song.duration_quarters is None:
        return None
    if not re.fullmatch(r"\d+/[1-9]\d*", found[1]):
        return None
    bar, unit = 16 * Fraction(found[0]), 16 * Fraction(found[1])
    body = AbcCodec().body(AbcCodec().encode(song))
    lines = list(accumulate(length * unit for length in bar_lengths(body)))
    if not lines:
        return None
    pickup = lines[0] % bar
    beside = [(line - pickup) % bar != 0 for line in lines]
    end = 4 * float((song.onset_quarters + song.duration_quarters).max())
    even = min(abs(end % float(bar) - rest) for rest in (0, float(pickup), float(bar))) < EXACT
    if not even or any(a and b for a, b in pairwise(beside)):
        return None
    starts = np.arange(float(pickup), end + EXACT, float(bar))
    return np.append(0.0, starts) if pickup else starts


def songs_and_bars(corpus: Corpus) -> tuple[list[Song], list[np.ndarray]]:
    """The held-out pieces that are measured, and the bar lines of each.

    Of the chorales all. Of tunes those that are written in whole sixteenths, as no triplets and no
    grace notes are, and whose bars are known.
    """
    if corpus.name == EMBEDDED:
        return list(corpus.test), [bar_lines(song) for song in corpus.test]
    plain = [song for song in corpus.test if on_sixteenths(song)]
    found = [(song, lines) for song in plain if (lines := tune_bar_lines(song)) is not None]
    return [song for song, _ in found], [lines for _, lines in found]


def on_sixteenths(song: Song) -> bool:
    """Whether all of a song's notes and waits last one of the Duration Net's 16 lengths."""
    length = to_elements(song).length
    return bool((np.abs(length - length.round().clip(1, LONGEST)) < EXACT).all())


def bars_that_add_up(
    elements: Elements, found: Float64[np.ndarray, " t"], lines: Float64[np.ndarray, " k"]
) -> Bool[np.ndarray, " n"]:
    """Whether each bar's waits add up to what is written, of bars that begin and end with an onset.

    Args:
        elements: of the score.
        found: the length that each is given, in sixteenths.
        lines: where the score's bars begin and the last one ends, see :func:`bar_lines`.
    """
    wait = elements.token == NEXT
    score, played = (np.append(0.0, np.cumsum(x[wait])) for x in (elements.length, found))
    at = np.searchsorted(score + elements.first, lines - EXACT)
    at = np.minimum(at, len(score) - 1)
    met = np.abs(score[at] + elements.first - lines) < EXACT
    off = np.diff(played[at]) - np.diff(score[at])
    return np.asarray(np.abs(off[met[:-1] & met[1:]]) < EXACT)


def duration_scores(
    quantize: Quantizer,
    songs: Sequence[Song],
    bars: Sequence[np.ndarray] | None,
    seed: int = 0,
    **noise: float,
) -> dict[str, float]:
    """How well lengths are found again.

    Args:
        quantize: the way to do it.
        songs: scores, distorted here.
        bars: the bar lines of each, see :func:`bar_lines`; without, no bars are counted.
        seed: of the noise.
        noise: see :func:`symphony.codecs.distort`.

    Returns:
        ``error``: mean absolute error in sixteenths; ``exact``: share of lengths that are right;
        ``bars``: share of bars for which :func:`bars_that_add_up` holds.
    """
    errors, whole = [], []
    for i, song in enumerate(songs):
        elements = to_elements(song)
        token, written = elements.token, elements.length
        rng = np.random.default_rng([seed, i])
        found = quantize(token, distort(token[None], written[None], rng, **noise)[0])
        errors.append(np.abs(found - written))
        if bars is None:
            continue
        whole.append(bars_that_add_up(elements, found, bars[i]))
    error = np.concatenate(errors)
    scores = {"error": float(error.mean()), "exact": float((error < EXACT).mean())}
    return scores if bars is None else scores | {"bars": float(np.concatenate(whole).mean())}


def duration_curves(
    quantize: Callable[[Mapping[str, float]], Quantizer],
    songs: Sequence[Song],
    bars: Sequence[np.ndarray] | None,
    seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """:func:`duration_scores` at each of ``LEVELS``, of the way that is made for each noise."""
    return {
        kind: [duration_scores(quantize(noise), songs, bars, seed, **noise) for noise in levels]
        for kind, levels in LEVELS.items()
    }


def network_quantizer(trained: Trained) -> Quantizer:
    """A Duration Net as one more way."""
    system: Any = trained.system
    return lambda token, heard: system.lengths(trained, token, heard)


def duration_results(trained: Trained, corpus: Corpus) -> dict[str, Any]:
    """The curves of a Duration Net on the test split of a corpus, see :func:`songs_and_bars`."""
    way = network_quantizer(trained)
    return {"levels": LEVELS, "curves": duration_curves(lambda _: way, *songs_and_bars(corpus))}


def duration_baselines(corpus: Corpus, without: Sequence[str] = ()) -> dict[str, Any]:
    """The curves of the ways that need no network, likewise; some may be left out."""
    songs, bars = songs_and_bars(corpus)
    ways: dict[str, Callable[[Mapping[str, float]], Quantizer]] = {
        "leave alone": lambda _: leave_alone,
        "round to the grid": lambda _: round_to_grid,
        "music21": lambda _: music21_quantize,
        "counting": lambda noise: CountingQuantizer.fit(corpus.train, noise),
        "dynamic programming": lambda noise: ViterbiQuantizer.fit(corpus.train, noise),
    }
    chosen = {name: way for name, way in ways.items() if name not in without}
    return {name: duration_curves(way, songs, bars) for name, way in chosen.items()}


def duration_transfer(trained: Trained, corpus: Corpus) -> dict[str, Any]:
    """A Duration Net on music of a kind that it never read, beside the ways that are fitted to it.

    Returns:
        ``measured`` of ``held_out`` pieces, see :func:`songs_and_bars`; ``curves`` of the net;
        ``baselines``, theirs, but for music21's, which rounds, and takes minutes to do it.
    """
    counts = {"measured": len(songs_and_bars(corpus)[0]), "held_out": len(corpus.test)}
    curves = duration_results(trained, corpus)["curves"]
    baselines = duration_baselines(corpus, without=["music21"])
    return counts | {"curves": curves, "baselines": baselines}


def velocity_baselines(train: Sequence[Song]) -> dict[str, Callable[[Song], np.ndarray]]:
    """Ways to give each note a velocity that need no network.

    ``last velocity`` knows what no other way does: how loud the chord before was really played.
    """
    pitch = np.concatenate([song.pitch for song in train]).astype(float)
    velocity = np.concatenate([song.velocity for song in train]).astype(float)
    mean, line = velocity.mean(), np.polynomial.Polynomial.fit(pitch, velocity, 3)

    def last(song: Song) -> np.ndarray:
        chord = onset_arrays([song])["chord"]
        loud = np.bincount(chord, song.velocity) / np.bincount(chord)
        return np.append(mean, loud)[chord]

    return {
        "mean": lambda song: np.full(len(song), mean),
        "regression on pitch": lambda song: line(song.pitch.astype(float)),
        "last velocity": last,
    }


def contrast(song: Song, velocity: np.ndarray) -> float:
    """How much louder the highest note of a chord is than the mean of the others.

    In MIDI velocities, the mean over chords of at least two notes; NaN without one.
    """
    chord = onset_arrays([song])["chord"]
    order = np.lexsort((song.pitch, chord))
    loud, chord = np.asarray(velocity, float)[order], chord[order]
    top = np.append(np.diff(chord) > 0, True)
    size, whole = np.bincount(chord), np.bincount(chord, loud)
    many = size > 1
    others = (whole[many] - loud[top][many]) / (size[many] - 1)
    return float((loud[top][many] - others).mean()) if many.any() else float("nan")


def velocity_scores(
    way: Callable[[Song], np.ndarray], songs: Sequence[Song]
) -> dict[str, dict[str, float]]:
    """How near velocities come to what was played.

    Returns:
        ``error``: mean absolute error in MIDI velocities; ``correlation`` with the velocities
        played, 0 where all notes get the same; ``contrast``: see :func:`contrast`; ``spread``: the
        standard deviation. Each the mean over performances with its 95 % bootstrap interval.
    """
    rows = []
    for song in songs:
        found, played = way(song), song.velocity.astype(float)
        flat = np.ptp(found) == 0 or np.ptp(played) == 0
        related = 0.0 if flat else float(np.corrcoef(found, played)[0, 1])
        error = np.abs(found - played).mean()
        rows.append((error, related, contrast(song, found), found.std()))
    names = ("error", "correlation", "contrast", "spread")
    each = zip(names, np.array(rows).T, strict=True)
    return {name: bootstrap(values)._asdict() for name, values in each}


def network_velocities(trained: Trained) -> Callable[[Song], np.ndarray]:
    """A Velocity Net as one more way."""
    system: Any = trained.system
    return lambda song: system.velocities(trained, song)


def velocity_table(
    train: Sequence[Song], songs: Sequence[Song], trained: Trained | None = None
) -> dict[str, Any]:
    """:func:`velocity_scores` of every way, of a Velocity Net, and of what was really played."""
    ways = velocity_baselines(train)
    if trained is not None:
        ways["Velocity Net"] = network_velocities(trained)
    ways["as played"] = lambda song: song.velocity.astype(float)
    return {name: velocity_scores(way, songs) for name, way in ways.items()}


def velocity_results(trained: Trained, corpus: Corpus) -> dict[str, Any]:
    """A Velocity Net on the test split beside the other ways; and what an octave does to a note."""
    moved = {}
    for name, semitones in (("up", 12), ("down", -12)):
        pairs = octave_effect(trained, corpus.test, semitones)
        moved[name] = bootstrap(np.diff(pairs)[:, 0])._asdict()
    return {"scores": velocity_table(corpus.train, corpus.test, trained), "octave": moved}


def octave_effect(
    trained: Trained, songs: Sequence[Song], semitones: int = 12, count: int = 100, seed: int = 0
) -> np.ndarray:
    """What moving one note does to its velocity: the velocities before and after.

    Args:
        trained: a Velocity Net.
        songs: a passage of ten seconds of each is read, again and again from the first.
        semitones: how far a note moves.
        count: notes moved, each alone.
        seed: decides which.

    Returns:
        [count, 2], notes that would leave the keyboard left out.
    """
    system: Any = trained.system
    rng, out = np.random.default_rng(seed), []
    for i in range(count):
        song = songs[i % len(songs)]
        begin = rng.uniform(0, max(song.seconds - 10, 0))
        passage = song.slice(begin, begin + 10)
        if not len(passage):
            continue
        pitch, at = passage.pitch.astype(int), int(rng.integers(len(passage)))
        pitch[at] += semitones
        if not LOWEST <= pitch[at] <= HIGHEST:
            continue
        moved = replace(passage, pitch=pitch)
        there = np.lexsort((pitch, passage.onset)).tolist().index(at)
        before, after = (system.velocities(trained, each) for each in (passage, moved))
        out.append((before[at], after[there]))
    return np.array(out).reshape(-1, 2)
