"""The command ``symphony``: train a model, let it compose, and measure what it copied.

``symphony COMMAND --help`` explains each. Bad input ends with one sentence and exit code 2;
Ctrl-C with 130, and nothing lost.
"""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.extras import SubcommandApp

from symphony.errors import SymphonyError

app = SubcommandApp()


@app.command
def corpora() -> None:
    """List the corpora: what they are, how large, their licence, and whether they are here.

    A corpus that is not here is downloaded when first used, and checked by SHA-256. Where
    there is no network, put its files in a folder and name it in SYMPHONY_DATA.
    """
    from symphony.corpora import corpora_table

    rows = corpora_table()
    heads = ("name", "title", "size", "licence", "present")
    cells = [heads, *(tuple(str(row[h]) for h in heads) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    for row in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


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
        recipe: what to train, such as char-rnn or char-rnn-overfit.
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


@app.command
def compose(
    model: tyro.conf.Positional[str],
    /,
    seconds: float = 30.0,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    form: str | None = None,
    key: str | None = None,
    out: Path = Path("piece.mid"),
    mp3: Path | None = None,
) -> None:
    """Let a model compose a piece, and say how much of it was copied.

    Example: ``symphony compose char-rnn --seconds 30 --seed 3 --out x.mid --mp3 y.mp3``, or a
    plan: ``symphony compose dcrnn --form "A B C A B" --key "C major"``.

    Args:
        model: a shipped model by name, or the folder of a run.
        seconds: how long the piece is.
        seed: the same seed gives the same piece on the same machine.
        temperature: below 1 is safer, above 1 wilder; 0 always takes the likeliest symbol.
        top_p: draw only from the likeliest symbols that hold this share of the probability.
        form: sections by letter, as "A B C A B", or a walk from one to another, as "A>B"; for
            models whose noise changes as they play.
        key: such as "C major", for models that were told keys.
        out: the MIDI file to write.
        mp3: also write the sound here.
    """
    from symphony.training import load_model

    trained = load_model(model)
    asked = {name: value for name, value in (("form", form), ("key", key)) if value is not None}
    known = inspect.signature(trained.compose).parameters
    for name in asked:
        if name not in known:
            raise SymphonyError(
                f"{trained.recipe.name} has no {name} to follow: leave --{name} out."
            )
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
def originality(
    song: tyro.conf.Positional[Path],
    /,
    corpus: str = "chorales",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Measure what a piece copied: its nearest pieces in a corpus, and where.

    Each figure stands beside unseen real music: a percentile of 50 is what a typical real
    piece shares with pieces it has never met; 100 is more than any of them shares.

    Args:
        song: a MIDI or ABC file.
        corpus: a corpus by name, or a folder of MIDI and ABC files. The piece is compared
            with its training split.
        as_json: print one JSON object instead of the table.
    """
    from symphony.corpora import load_corpus, read_song
    from symphony.evaluation import Originality

    piece = read_song(song)
    report = Originality.of_corpus(load_corpus(corpus)).report(piece)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    print(
        f"{'run':>4}  {'in the piece':>15}  {'in the original':>15}  {'12-grams':>8}  "
        f"{'LCS':>5}  name"
    )
    for match in report.nearest:
        here, there = _span(match.query_time), _span(match.piece_time)
        print(
            f"{match.run:>4}  {here:>15}  {there:>15}  {match.coverage:>8.0%}  "
            f"{match.whole_lcs:>5.2f}  {match.name}"
        )
    shares = ", ".join(f"{name} {value:.0f}" for name, value in report.percentile.items())
    print(f"Percentiles among unseen real music: {shares}.")
    print(report.verdict)


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


def _span(time: tuple[float, float]) -> str:
    return "-".join(f"{int(t) // 60}:{int(t) % 60:02d}" for t in time)


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


def main() -> None:
    """Run the command; see the module's docstring for how it ends."""
    try:
        app.cli(prog="symphony", description=__doc__)
    except SymphonyError as error:
        print(f"symphony: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("symphony: stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
