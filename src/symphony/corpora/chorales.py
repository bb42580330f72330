"""371 chorales by J. S. Bach, four voices played on a piano, from inside music21."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from symphony.corpora.source import Entries, Entry, Source
from symphony.files import sentence
from symphony.song import TEMPO, Song

SOURCE = Source(
    name="chorales",
    title="Bach chorales",
    description="371 four-part chorales by J. S. Bach, each voice on one piano.",
    url="https://www.music21.org",
    licence="public domain music; encodings under music21's corpus licences",
    citation="Cuthbert & Ariza, music21, ISMIR 2010; Riemenschneider, 371 Harmonized Chorales",
)


def read() -> Entries:
    """The chorales in Riemenschneider's order; repeats are not played out.

    Raises:
        FileError: music21 can't read its own files, or no process could be started for it.
    """
    from music21.corpus.chorales import Iterator
    from music21.exceptions21 import Music21Exception

    advice = "Try again; pip install --force-reinstall music21 brings its files back."
    with sentence("The chorales can't be read", advice, (Music21Exception, BrokenProcessPool)):
        files = list(dict.fromkeys(Iterator(returnType="filename")))
        with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            for song in pool.map(_parse, files, chunksize=8):
                yield Entry(song)


def score(name: str):  # type: ignore[no-untyped-def]  # music21's Score, imported only here
    """The engraved score of a chorale of this corpus, as music21 gives it."""
    from music21 import corpus

    return corpus.parse(f"bach/{name}", forceSource=True)


def _parse(file: str) -> Song:
    """One chorale: voices laid together, tied notes joined, doubled notes struck once."""
    from music21 import corpus

    rows = []
    # forceSource: music21's own cache of parsed scores breaks when two processes share it.
    for part in corpus.parse(file, forceSource=True).stripTies().parts:
        for note in part.flatten().notes:
            for pitch in note.pitches:
                rows.append((float(note.offset), float(note.quarterLength), pitch.midi))
    longest: dict[tuple[float, int], float] = {}
    for onset, quarters, pitch in rows:
        if quarters > 0:
            longest[onset, pitch] = max(quarters, longest.get((onset, pitch), 0.0))
    keys = sorted(longest)
    onset_quarters = np.array([onset for onset, _ in keys])
    duration_quarters = np.array([longest[key] for key in keys])
    return Song(
        onset=onset_quarters * 60 / TEMPO,
        duration=duration_quarters * 60 / TEMPO,
        pitch=np.array([pitch for _, pitch in keys]),
        velocity=np.full(len(keys), 80),
        onset_quarters=onset_quarters,
        duration_quarters=duration_quarters,
        tempo=np.array([[0.0, TEMPO]]),
        name=file.removeprefix("bach/"),
        source=SOURCE.name,
    )
