"""One song to one file: the suffix says whether it is sound, a picture or engraved notes."""

from __future__ import annotations

from pathlib import Path

from symphony.rendering.audio import write_audio
from symphony.rendering.errors import RenderingError
from symphony.rendering.notation import notation
from symphony.rendering.plots import piano_roll
from symphony.song import Song


def render_file(song: Song, path: str | Path) -> None:
    """Turn a song into sound (.mp3, .wav), a piano roll (.png) or notation (.svg).

    Notation shows the whole piece, so it wants music with a known beat.

    Raises:
        RenderingError: another suffix, a song that can't be rendered so, or a place where
            nothing can be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".mp3", ".wav"):
        write_audio(song, path)
    elif suffix == ".png":
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(min(max(song.seconds * 0.15, 8), 40), 4), layout="constrained")
        FigureCanvasAgg(figure)
        piano_roll(song, figure.subplots())
        _written(path, lambda: figure.savefig(path, dpi=110))
    elif suffix == ".svg":
        text = notation(song, measures=None).svg
        _written(path, lambda: path.write_text(text, encoding="utf-8"))
    else:
        raise RenderingError(
            f"A song is rendered to .mp3 or .wav (sound), .png (piano roll) or .svg (notation), "
            f"not to {path.name!r}."
        )


def _written(path: Path, write: object) -> None:
    assert callable(write)
    try:
        write()
    except OSError as error:
        raise RenderingError(f"{path} can't be written: {error.strerror or error}.") from None
