"""One song to one file: the suffix says whether it is sound, a picture or engraved notes."""

from __future__ import annotations

from pathlib import Path

from symphony.errors import RequestError
from symphony.files import written
from symphony.rendering.audio import write_audio
from symphony.rendering.notation import notation
from symphony.rendering.plots import piano_roll
from symphony.song import Song


def render_file(song: Song, path: str | Path, *, accompaniment: Song | None = None) -> None:
    """Turn a song into sound (.mp3, .wav), a piano roll (.png) or notation (.svg).

    Notation shows the whole piece, so it wants music with a known beat. In sound, a guitar plays
    the ``accompaniment``.

    Raises:
        RequestError: another suffix, or more than that kind of file can hold.
        SongError: a song that can't be rendered so.
        FileError: nothing can be written there; an earlier file stays as it was.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".mp3", ".wav"):
        write_audio(song, path, accompaniment=accompaniment)
    elif suffix == ".png":
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(min(max(song.seconds * 0.15, 8), 40), 4), layout="constrained")
        FigureCanvasAgg(figure)
        piano_roll(song, figure.subplots())
        with written(path) as partial:
            figure.savefig(partial, dpi=110)
    elif suffix == ".svg":
        notation(song, measures=None).save(path)
    else:
        raise RequestError(
            f"A song is rendered to .mp3 or .wav (sound), .png (piano roll) or .svg (notation), "
            f"not to {path.name!r}."
        )
