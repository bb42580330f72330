"""The commands: train, compose, play, fill, refine, render, evaluate, originality, lists."""

import dataclasses
import inspect
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from symphony import systems
from symphony.cli.app import app, check_places, controls_in, flags_of, print_table, refuse_others
from symphony.errors import RequestError
from symphony.files import check_writable, written

Device = Literal["auto", "cpu", "cuda", "mps"]
Size = Literal["tiny", "small", "full"]
Json = Annotated[bool, tyro.conf.arg(name="json")]
RECIPES = ", ".join(systems.names())
MODELS = f"{', '.join(systems.shipped())}; {', '.join(systems.NGRAMS)}; or the folder of a run"
Model = Annotated[str, tyro.conf.Positional, tyro.conf.arg(help=MODELS)]


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
    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help=RECIPES)],
    /,
    size: Size = "small",
    corpus: str | None = None,
    device: Device = "auto",
    out: Path | None = None,
    seed: int | None = None,
    resume: bool = False,
) -> None:
    """Train a model by a recipe and keep its weights, card and learning curve in a folder.

    Example: ``symphony train char-rnn --corpus ~/my-midi --out runs/mine``, and after a stop
    the same with ``--resume``. On several devices:
    ``torchrun --nproc-per-node 2 -m symphony.cli train char-rnn``.

    Args:
        recipe: what to train.
        size: tiny (seconds, to try things out), small (a CPU, half an hour at most),
            full (the original's size, for a GPU).
        corpus: a corpus by name (see ``symphony corpora``) or a folder of MIDI and ABC files;
            the recipe's own if left out.
        device: where to compute; auto takes a GPU when there is one.
        out: the run's folder, runs/RECIPE-SIZE if left out. An earlier run in it is kept.
        seed: another seed than the recipe's.
        resume: go on where a stopped run left off, exactly as if it had not stopped.
    """
    folder = out or Path("runs") / f"{recipe}-{size}"
    card = systems.train(
        recipe, folder, size=size, corpus=corpus, seed=seed, device=device, resume=resume
    )
    if card is not None:  # only the first of several processes has it
        print(f"Trained {recipe} ({size}) in {card.minutes:.1f} minutes: {folder}")
        print(f"Hear it: symphony compose {shlex.quote(str(folder))} --mp3 piece.mp3")


@app.command(name="report-table")
def report_table(
    corpus: tyro.conf.Positional[str],
    /,
    size: Size = "full",
    device: Device = "auto",
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
    from symphony import experiments

    rows = experiments.report_table(corpus, out, size=size, device=device, resume=resume)
    print(f"{'method':<22}{'here':>8}{'report':>8}   nats a symbol, on the training songs")
    for row in rows:
        print(f"{row['method']:<22}{row['loss']:>8.2f}{row['reported']:>8.2f}")


def compose(
    model: Model,
    /,
    corpus: str | None = None,
    seconds: float = 30.0,
    seed: int = 0,
    out: Path = Path("piece.mid"),
    mp3: Path | None = None,
    abc: Path | None = None,
    *,
    controls: Any = None,
) -> None:
    """Let a model compose a piece, and say how much of it was copied.

    Example: ``symphony compose char-rnn --seconds 30 --seed 3 --out x.mid --mp3 y.mp3``. Each
    model has controls of its own: ``symphony compose dcrnn --help`` shows a DCRNN's, among them
    ``--form "A B C A B" --key "C major"``. Chord symbols of a model that writes ABC notation sound
    on a second channel, as a guitar.

    Args:
        model: a shipped model by name, an n-gram model, or the folder of a run.
        corpus: what an n-gram model is counted on, chorales if left out; other models know
            their own.
        seconds: how long the piece is.
        seed: the same seed gives the same piece on the same machine.
        out: the MIDI file to write.
        mp3: also write the sound here.
        abc: also write the tune's text here, of a model that writes ABC notation.
        controls: of the model.
    """
    from symphony.corpora import accompaniment

    check_places(out, mp3)
    if abc is not None:
        check_writable(abc)
    if corpus is not None and model not in systems.NGRAMS:
        raise RequestError(f"{model} knows what it learned from: --corpus is for n-gram models.")
    said = _checked(model, seconds, seed, controls)
    trained = systems.load(model, "chorales" if corpus is None else corpus)
    (song,) = trained.compose(seconds, seed=seed, **said)
    if abc is not None and song.abc is None:
        raise RequestError(f"{model} writes no ABC notation: --abc is for models that do.")
    chords = accompaniment(song)
    song.to_midi(out, accompaniment=chords)
    print(f"{out}: {len(song)} notes, {song.seconds:.1f} s{', chords' if chords else ''}")
    _sound(song, mp3, chords)
    if abc is not None:
        with written(abc) as partial:
            partial.write_text(str(song.abc))
        print(f"{abc}: the same as ABC notation")
    print(_verdict(song, trained.recipe.corpus))


def play(
    model: Model,
    /,
    source: str = "hand",
    seconds: float = 30.0,
    seed: int = 0,
    out: Path = Path("played.mid"),
    mp3: Path | None = None,
    port: str | None = None,
    record: Path | None = None,
    again: Path | None = None,
    trace: Path | None = None,
    calibration: Path | None = None,
    look_ahead: float = 0.5,
    *,
    controls: Any = None,
) -> None:
    """Play with a model: a hand leads, and the model composes a moment ahead of it.

    Without any device, a made-up hand plays, as fast as the model composes. Example:
    ``symphony play conditional-char-rnn --key "A minor" --mp3 played.mp3``. The conditional
    Char-RNN plays higher where the hand is higher, and fewer notes where it is further left.
    A DCRNN's noise has eight numbers that the arm's eight muscles set; a pad's two values walk
    between four places of it: ``symphony play dcrnn --source muscles``.

    With a device, or into a MIDI port, time is real; Ctrl-C ends it, every key goes up, and what
    was played is kept. Devices need ``pip install 'deep-symphony[live]'``:

    \b
      --source camera:/dev/ttyACM0   a JeVois camera that follows a hand
      --source armband               eight EMG sensors, as a stream of the Lab Streaming Layer
      --source phone:9000            OSC messages "/pad x y", on this machine only;
      --source phone:9000@0.0.0.0    from the whole network
      --source knobs                 modulation wheel and brightness of a MIDI keyboard
      --source trace.json            a trace kept by --trace

    Muscles differ between people, so an armband is calibrated: wear it, make each gesture for some
    seconds with ``--trace mine.json``, then play with ``--calibration mine.json``.

    Args:
        model: a shipped model by name, or the folder of a run.
        source: who leads: hand, muscles, a trace's file, or a device as above.
        seconds: how long to play.
        seed: what is drawn; the same seed, hand and model play the same.
        out: the MIDI file to write.
        mp3: also write the sound here.
        port: also play into this MIDI port, as it comes into being.
        record: keep the performance here; it is small, for the notes follow from it.
        again: play a kept performance again, note for note.
        trace: keep what was sensed here.
        calibration: a trace of this wearer's muscles.
        look_ahead: seconds of music to have ready: less answers sooner, more survives a slow
            machine.
        controls: of the model.
    """
    from symphony.live import (
        Improviser,
        MidiPort,
        Recording,
        Several,
        SongFile,
        Steady,
        VirtualClock,
        WallClock,
    )  # fmt: skip
    from symphony.live.catalogue import Traced, mapping_of, source_of

    check_places(out, mp3)
    said = {} if controls is None else vars(controls)
    trained = systems.load(model)
    sinks = [SongFile(path) for path in (out, mp3) if path is not None]
    if again is not None:
        report = Recording.load(again).play(trained, Several(sinks))
        print(f"{out}: {report.notes} notes, {report.seconds:.1f} s, as they were played")
        return
    led = trained.lead(seed=seed, **said)
    chosen, is_device = source_of(source, seconds, seed)
    mapping = mapping_of(chosen, led, calibration, seed)
    real = is_device or port is not None
    clock = WallClock() if real else VirtualClock()
    traced = Traced(chosen)
    outputs = [*sinks, *([MidiPort(port)] if port is not None else [])]
    improviser = Improviser(led, Several(outputs), clock, look_ahead=look_ahead)
    try:
        improviser.play(Steady(traced), mapping, seconds)
    finally:
        if improviser.report.notes:
            _told(improviser.report, out)
        if improviser.report.notes and record is not None:
            Recording.of(trained, model, seed, said, improviser.report).save(record)
        if traced.rows and trace is not None:
            traced.kept().save(trace)


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
    """Fill the holes in a piece of yours: what is there stays, what is missing is generated.

    Example: ``symphony fill sketch.mid --out x.mid``.

    Args:
        song: a MIDI or ABC file.
        out: the MIDI file to write.
        model: a shipped model that fills, or the folder of its run.
        drop: first take this share of the notes away, to hear what comes in their place.
        seed: another seed fills the holes otherwise.
        mp3: also write the sound here.
    """
    from symphony.codecs import facade_of
    from symphony.corpora import read_song

    check_places(out, mp3)
    piece, trained = read_song(song), systems.load(model)
    if out.exists() and out.samefile(song):
        raise RequestError(f"{out} is the piece itself: give --out another name.")
    facade = facade_of(piece, drop, seed) if drop else piece
    filled = trained.fill(facade, seed=seed)
    filled.to_midi(out)
    print(f"{out}: {len(filled)} notes, {len(filled) - len(facade)} of them new")
    _sound(filled, mp3)


@app.command
def refine(
    song: tyro.conf.Positional[Path],
    /,
    durations: bool = False,
    velocities: bool = False,
    out: Path = Path("refined.mid"),
    mp3: Path | None = None,
) -> None:
    """Refine a piece of yours: give it clean durations, then velocities as a pianist plays.

    No note is lost and no pitch changes. Example: ``symphony refine sketch.mid --durations
    --velocities --out x.mid``.

    Args:
        song: a MIDI or ABC file.
        durations: let every note and rest last whole sixteenths; music on a grid stays as it is.
        velocities: let the melody sound above the rest; what has dynamics already keeps them.
        out: the MIDI file to write.
        mp3: also write the sound here.
    """
    from symphony.corpora import read_song

    check_places(out, mp3)
    chosen = {"duration-net": durations, "velocity-net": velocities}
    if not any(chosen.values()):
        raise RequestError("Say what to refine: --durations, --velocities, or both.")
    piece = refined = read_song(song)
    if out.exists() and out.samefile(song):
        raise RequestError(f"{out} is the piece itself: give --out another name.")
    for model, wanted in chosen.items():
        refined = systems.load(model).refine(refined) if wanted else refined
    refined.to_midi(out)
    low, high = refined.velocity.min(), refined.velocity.max()
    print(
        f"{out}: {len(refined)} notes, {refined.seconds:.1f} s (before {piece.seconds:.1f} s), "
        f"velocities {low} to {high}"
    )
    _sound(refined, mp3)


@app.command
def render(song: tyro.conf.Positional[Path], /, out: Path = Path("song.mp3")) -> None:
    """Turn a piece into sound, a piano roll, or engraved notes.

    The chord symbols of an ABC tune sound with it, on a guitar.

    Args:
        song: a MIDI or ABC file.
        out: x.mp3 or x.wav for sound, x.png for a piano roll, x.svg for notation (music
            with a known beat only).
    """
    from symphony.corpora import accompaniment, read_song
    from symphony.rendering import render_file

    piece = read_song(song)
    render_file(piece, out, accompaniment=accompaniment(piece))
    print(out)


def evaluate(
    model: Model,
    /,
    corpus: str | None = None,
    samples: int = 100,
    seconds: float = 30.0,
    seed: int = 0,
    as_json: Json = False,
    *,
    controls: Any = None,
) -> None:
    """Measure a model beside four anchors: noise, the best n-gram, unseen music, a training copy.

    Every column is measured alike; brackets are 95 % bootstrap intervals. A number means
    something only between its anchors. Chapter 3 explains each row. Example:
    ``symphony evaluate char-rnn --temperature .8``, ``symphony evaluate ngram-4 --corpus folk``.

    Args:
        model: a shipped model, an n-gram model, or the folder of a run.
        corpus: a corpus by name or a folder; the one the model learned from if left out.
        samples: pieces in each column.
        seconds: how long each piece is.
        seed: decides what is drawn.
        as_json: print one JSON object instead of the table.
        controls: of the model.
    """
    from symphony import experiments

    said = _checked(model, seconds, seed, controls)
    trained = systems.load(model, "chorales" if corpus is None else corpus)
    found = experiments.evaluate(
        trained,
        trained.recipe.corpus if corpus is None else corpus,
        samples=samples,
        seconds=seconds,
        seed=seed,
        controls=said,
    )
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows = experiments.evaluation_rows(found)
    print_table([list(rows[0]), *([*row.values()] for row in rows)])


@app.command
def originality(
    song: tyro.conf.Positional[Path],
    /,
    corpus: str = "chorales",
    as_json: Json = False,
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
    from symphony.evaluation.originality import clock_span

    piece = read_song(song)
    report = Originality.of_corpus(load_corpus(corpus), progress=True).report(piece)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    print(
        f"{'run':>4}  {'in the piece':>15}  {'in the original':>15}  {'12-grams':>8}  "
        f"{'LCS':>5}  name"
    )
    for match in report.nearest:
        here, there = clock_span(match.query_time), clock_span(match.piece_time)
        print(
            f"{match.run:>4}  {here:>15}  {there:>15}  {match.coverage:>8.0%}  "
            f"{match.whole_lcs:>5.2f}  {match.name}"
        )
    if len(report.reference["run"]):
        shares = ", ".join(f"{name} {value:.0f}" for name, value in report.percentile.items())
        print(f"Percentiles among unseen real music: {shares}.")
    print(report.verdict)


def _told(report: Any, out: Path) -> None:
    """How a performance went, in a few lines."""
    waits = report.control_to_sound()
    print(f"{out}: {report.notes} notes, {report.seconds:.1f} s; {report.late_share:.1%} late")
    if len(waits):
        middle, most = np.percentile(waits, [50, 95])
        print(
            f"The hand moved on {len(report.controls)} times, heard after {middle * 1000:.0f} ms "
            f"(median) and {most * 1000:.0f} ms (95 %)."
        )
    for kind, count in report.faults.items():
        print(f"The source: {kind}, {count} times.")
    for notice in report.notices:
        print(notice)


def add_controls(words: list[str]) -> None:
    """Register the commands whose flags depend on the model that ``words`` name.

    Raises:
        SymphonyError: a model that isn't there, or a flag that it hasn't.
    """
    for command in (compose, play, evaluate):
        controls = words[:1] == [command.__name__] and controls_in(words[1:])
        others = getattr(controls, "by_hand", ()) if command is play else ()
        flags = flags_of(controls, others) if controls else None
        if flags is not None:
            own = inspect.signature(command).parameters
            known = {name.removeprefix("as_").replace("_", "-") for name in own}
            known |= {each.name.replace("_", "-") for each in dataclasses.fields(flags)}
            refuse_others(words[1:], known - {"model", "controls"}, words[1])
        app.command(_with_flags(command, flags))


def _with_flags(command: Callable[..., None], flags: Any) -> Callable[..., None]:
    """The command with a model's controls as flags of its own."""

    def run(*args: Any, **named: Any) -> None:
        command(*args, **named)

    signature = inspect.signature(command)
    own = {k: p for k, p in signature.parameters.items() if k != "controls"}
    if flags is not None:
        kind = tyro.conf.OmitArgPrefixes[flags]
        place = signature.parameters["controls"]
        own["controls"] = place.replace(annotation=kind, default=flags())
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=list(own.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {k: p.annotation for k, p in own.items()}
    return run


def _checked(model: str, seconds: float, seed: int, controls: Any) -> dict[str, Any]:
    """A model's controls, checked before it or its music is read.

    Raises:
        SymphonyError: no such model, or a control that it refuses.
    """
    from symphony.training.system import check_request
    from symphony.typed import check_fields

    check_request(seconds, seed)
    said = {} if controls is None else vars(controls)
    check_fields(type(systems.controls_of(model))(**said))
    return said


def _sound(song: Any, mp3: Path | None, accompaniment: Any = None) -> None:
    if mp3 is not None:
        from symphony.rendering import write_audio

        write_audio(song, mp3, accompaniment=accompaniment)
        print(f"{mp3}: the same as sound")


def _verdict(song: Any, corpus: str) -> str:
    """The originality of what was just composed, where the training music is at hand."""
    from symphony.corpora import SOURCES, is_present, load_corpus
    from symphony.evaluation import Originality

    if not is_present(corpus):
        how = f"'symphony originality FILE --corpus {corpus}' downloads it first."
        how = how if corpus in SOURCES else "It is a folder that is gone, or was moved."
        return f"Originality not measured: the corpus {corpus} is not here. {how}"
    return Originality.of_corpus(load_corpus(corpus), progress=True).report(song).verdict
