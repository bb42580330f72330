"""Commands that make something: weights, pieces, sounds and pictures."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import tyro

from symphony.cli.app import app, print_table
from symphony.errors import SymphonyError


@app.command
def corpora() -> None:
    """List the corpora: what they are, how large, their licence, and whether they are here.

    A corpus that is not here is downloaded when first used, and checked by SHA-256. Where
    there is no network, put its files in a folder and name it in SYMPHONY_DATA.
    """
    from symphony.corpora import corpora_table

    rows = corpora_table()
    heads = ("name", "title", "size", "licence", "present")
    print_table([list(heads), *([str(row[h]) for h in heads] for row in rows)])


@app.command
def train(
    recipe: tyro.conf.Positional[str],
    /,
    size: Literal["tiny", "small", "full"] = "small",
    corpus: str | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    out: Path | None = None,
    seed: int | None = None,
    resume: bool = False,
) -> None:
    """Train a model by a recipe and keep its weights, card and learning curve in a folder.

    Example: ``symphony train char-rnn --corpus ~/my-midi --out runs/mine``, and after a stop
    the same with ``--resume``. On several devices:
    ``torchrun --nproc-per-node 2 -m symphony.cli train char-rnn``.

    Args:
        recipe: what to train: char-rnn, char-rnn-overfit, char-rnn-performances,
            conditional-char-rnn, rnn-gan, iwgan, dcrnn or pix2pix.
        size: tiny (seconds, to try things out), small (two CPU cores, about a quarter of an hour),
            full (the original's size, for a GPU).
        corpus: a corpus by name (see ``symphony corpora``) or a folder of MIDI and ABC files;
            the recipe's own if left out.
        device: where to compute; auto takes a GPU when there is one.
        out: the run's folder, runs/RECIPE-SIZE if left out.
        seed: another seed than the recipe's.
        resume: go on where a stopped run left off, exactly as if it had not stopped.
    """
    from symphony import training

    chosen = training.recipe(recipe, size)
    if corpus is not None:
        chosen = replace(chosen, corpus=corpus)
    if seed is not None:
        chosen = replace(chosen, seed=seed)
    folder = out or Path("runs") / f"{recipe}-{size}"
    card = training.train_recipe(chosen, folder, device=device, resume=resume)
    if card is not None:  # only the first of several processes has it
        print(f"Trained {recipe} ({size}) in {card['minutes']:.1f} minutes: {folder}")
        print(f"Hear it: symphony compose {folder} --out piece.mid --mp3 piece.mp3")


@app.command(name="report-table")
def report_table(
    corpus: tyro.conf.Positional[str],
    /,
    size: Literal["tiny", "small", "full"] = "full",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    out: Path = Path("runs/report-table"),
    resume: bool = False,
) -> None:
    """Repeat the original report's table of training losses on the songs you have.

    Example: ``symphony report-table ~/the-original-songs``. It trains the report's two
    networks as it did and prints its table, theirs beside yours. Chapter 3 says why a training
    loss is no measure of music, and what is.

    Args:
        corpus: a corpus by name, or a folder of MIDI and ABC files.
        size: full is the report's (hours on a GPU); small takes minutes on two CPU cores.
        device: where to compute; auto takes a GPU when there is one.
        out: where the two runs are kept. Finished runs are not repeated.
        resume: go on where a stopped run left off.
    """
    from symphony import studies

    rows = studies.report_table(corpus, out, size=size, device=device, resume=resume)
    print(f"{'method':<22}{'here':>8}{'report':>8}   nats a symbol, on the training songs")
    for row in rows:
        print(f"{row['method']:<22}{row['loss']:>8.2f}{row['reported']:>8.2f}")


@app.command
def compose(
    model: tyro.conf.Positional[str],
    /,
    corpus: str = "chorales",
    seconds: float = 30.0,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    form: str | None = None,
    key: str | None = None,
    pitch: str | None = None,
    density: str | None = None,
    preset: str | None = None,
    out: Path = Path("piece.mid"),
    mp3: Path | None = None,
) -> None:
    """Let a model compose a piece, and say how much of it was copied.

    Example: ``symphony compose char-rnn --seconds 30 --seed 3 --out x.mid --mp3 y.mp3``. A
    conditional model can be told what to play, and a curve moves along the piece:
    ``symphony compose conditional-char-rnn --key "C major" --pitch 8:2 --density 3``. A
    DCRNN follows a form: ``symphony compose dcrnn --form "A B C A B" --key "C major"``.

    Args:
        model: a shipped model by name, the folder of a run, or a chain: uniform, unigram,
            ngram-1 to ngram-8, ngram.
        corpus: what a chain is counted on; other models know their own.
        seconds: how long the piece is.
        seed: the same seed gives the same piece on the same machine.
        temperature: below 1 is safer, above 1 wilder; 0 always takes the likeliest symbol.
        top_p: draw only from the likeliest symbols that hold this share of the probability.
        form: for a DCRNN: sections by letter, as "A B C A B", or a walk from one to another, as
            "A>B".
        key: for a conditional model or a DCRNN: a key such as "A minor"; for the former also
            several for equal parts of the piece, as "C major:G major".
        pitch: for a conditional model: its register from 0 (low) to 9 (high): "5" holds, "8:2"
            moves down in a line, "2:8:2" goes up and comes back.
        density: for a conditional model: notes a second from 0 (few) to 9 (many), likewise.
        preset: for a conditional model: a plan by name, such as "sparse and low"; any other name
            lists them. What --key, --pitch and --density say comes before it.
        out: the MIDI file to write.
        mp3: also write the sound here.
    """
    from symphony.training import load_any

    trained = load_any(model, corpus)
    said = {"form": form, "key": key, "pitch": pitch, "density": density, "preset": preset}
    asked = _asked(trained, seconds, {name: word for name, word in said.items() if word})
    (song,) = trained.compose(seconds, seed=seed, temperature=temperature, top_p=top_p, **asked)
    song.to_midi(out)
    print(f"{out}: {len(song)} notes, {song.seconds:.1f} s")
    if mp3 is not None:
        from symphony.rendering import write_audio

        write_audio(song, mp3)
        print(f"{mp3}: the same as sound")
    print(_verdict(song, trained.recipe.corpus))


@app.command
def fill(
    song: tyro.conf.Positional[Path],
    /,
    out: Path = Path("filled.mid"),
    model: str = "pix2pix",
    drop: float = 0.0,
    seed: int = 0,
    mp3: Path | None = None,
) -> None:
    """Fill the holes in a piece of yours: what is there stays, what is missing is made up.

    Example: ``symphony fill sketch.mid --out x.mid``.

    Args:
        song: a MIDI or ABC file.
        out: the MIDI file to write.
        model: a shipped Pix2Pix by name, or the folder of its run.
        drop: first take this share of the notes away, to hear what comes in their place.
        seed: another seed fills the holes otherwise.
        mp3: also write the sound here.
    """
    from symphony.corpora import read_song
    from symphony.training import facade_of, load_model

    piece, trained = read_song(song), load_model(model)
    if not hasattr(trained, "fill"):
        raise SymphonyError(f"{trained.recipe.name} fills no holes: a Pix2Pix does.")
    facade = facade_of(piece, drop, seed) if drop else piece
    filled = trained.fill(facade, seed=seed)
    filled.to_midi(out)
    print(f"{out}: {len(filled)} notes, {len(filled) - len(facade)} of them new")
    if mp3 is not None:
        from symphony.rendering import write_audio

        write_audio(filled, mp3)
        print(f"{mp3}: the same as sound")


@app.command
def render(song: tyro.conf.Positional[Path], /, out: Path = Path("song.mp3")) -> None:
    """Turn a piece into sound, a piano roll, or engraved notes.

    Args:
        song: a MIDI or ABC file.
        out: x.mp3 or x.wav for sound, x.png for a piano roll, x.svg for notation (music
            with a known beat only).
    """
    from symphony.corpora import read_song
    from symphony.rendering import render_file

    render_file(read_song(song), out)
    print(out)


def _asked(trained: Any, seconds: float, said: dict[str, str]) -> dict[str, Any]:
    """What was said, as the arguments this model's ``compose`` has for it.

    Raises:
        SymphonyError: something it has no argument for.
    """
    from symphony.codecs import PRESETS, Plan, PlanError

    known = set(inspect.signature(trained.compose).parameters)
    for name in said:
        if name not in known and (name == "form" or "plan" not in known):
            raise SymphonyError(
                f"{trained.recipe.name} has no {name} to follow: leave --{name} out."
            )
    if "plan" not in known or not said:
        return dict(said)
    words = dict(said)
    preset = words.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise PlanError(f"There is no preset {preset!r}. Presets: {'; '.join(PRESETS)}.")
    words = (PRESETS[preset] if preset is not None else {}) | words
    return {"plan": Plan.of(**words, seconds=seconds)}


def _verdict(song: object, corpus: str) -> str:
    """The originality of what was just composed, where the training music is at hand."""
    from symphony.corpora import is_present, load_corpus
    from symphony.evaluation import Originality

    if not is_present(corpus):
        return (
            f"Originality not measured: the corpus {corpus} is not here. "
            f"'symphony originality FILE --corpus {corpus}' downloads it first."
        )
    return Originality.of_corpus(load_corpus(corpus)).report(song).verdict
