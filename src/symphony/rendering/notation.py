"""Engraved notation as SVG, for music that knows its beat.

Songs go through music21 and MusicXML to verovio. (verovio reads ABC too, but some tunes abort
Python in its importer, so ABC takes the same way.) A performance has no beat to write down:
it is refused, with what to show instead. Explained in chapter 1.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symphony.rendering.errors import RenderingError
from symphony.song import Song

MIDDLE_C = 60
GRIDS = (4, 3)  # sixteenths and eighth triplets: what a quarter note is divided into
MOST_MEASURES = 400


@dataclass(frozen=True, repr=False)
class Notation:
    """Engraved music.

    Attributes:
        svg: an SVG document; it draws in the color of the text around it.
        label: one sentence for those who can't see it.
        measures: how many measures it shows.
    """

    svg: str
    label: str
    measures: int

    def _repr_html_(self) -> str:
        return (
            '<div class="symphony-notation" style="overflow-x:auto;max-width:100%">'
            f'<div style="min-width:34rem">{self.svg}</div></div>'
        )

    def __repr__(self) -> str:
        return f"<Notation: {self.label}>"

    def save(self, path: str | Path) -> None:
        """Write the SVG to a file."""
        Path(path).write_text(self.svg, encoding="utf-8")


def notation(
    music: Any, measures: int | None = 8, *, meter: str | None = None, pickup: float = 0.0
) -> Notation:
    """The first measures of a song as notes on staves.

    A song is set to the nearest sixteenth or eighth triplet and split at middle C into two
    staves of at most two voices each; its key is estimated from its pitches (Krumhansl's
    profiles, in music21). A tune that came from ABC is engraved from its text, as written.

    Args:
        music: a :class:`symphony.Song` that knows its quarter notes, or a music21 score.
        measures: how many measures; None engraves all.
        meter: time signature of a song, such as "3/4"; 4/4 if left out (MIDI rarely says).
        pickup: quarter notes before the first full measure of a song.

    Raises:
        RenderingError: a performance (no quarter notes known), a song without notes, a time
            signature that isn't one, or music that can't be engraved.
    """
    if measures is not None and measures < 1:
        raise RenderingError(f"Notation shows at least one measure, not {measures}.")
    if isinstance(music, Song):
        if not len(music):
            raise RenderingError("This song has no notes, so there is nothing to engrave.")
        name = music.name
        if music.abc is not None:
            score = _from_abc(music.abc)
        else:
            score = _from_song(music, measures, meter or "4/4", pickup)
    elif hasattr(music, "parts") and hasattr(music, "measures"):
        name = getattr(music.metadata, "bestTitle", None) or "" if music.metadata else ""
        score = music
    else:
        raise RenderingError(
            f"Notation is made from a Song or a music21 score, not from {type(music).__name__}."
        )
    return _engraved(score, measures, name)


def _from_abc(text: str) -> Any:
    from music21 import converter

    try:
        found = converter.parse(text, format="abc")
    except Exception as error:  # music21's ABC reader raises whatever it stumbles over
        raise RenderingError(f"This ABC tune can't be engraved: {error}.") from None
    return found if hasattr(found, "parts") else found.mergeScores()


def _from_song(song: Song, measures: int | None, meter: str, pickup: float) -> Any:
    """A piano score of two staves."""
    from music21 import key, layout, stream
    from music21 import meter as meters

    if song.onset_quarters is None or song.duration_quarters is None:
        raise RenderingError(
            f"{song.name or 'This song'} is a performance: it knows seconds but no beat, so "
            "written notes would be nonsense. Show rendering.piano_roll(song) instead, or "
            "quantize it to a beat first."
        )
    try:
        bar = float(meters.TimeSignature(meter).barDuration.quarterLength)
    except Exception:
        raise RenderingError(
            f"{meter!r} is not a time signature; one looks like 3/4 or 6/8."
        ) from None
    if not 0 <= pickup < bar:
        raise RenderingError(
            f"A pickup is shorter than a measure of {bar:g} quarters, not {pickup:g}."
        )
    estimate = _key(song)
    onset, duration = quantized(song.onset_quarters, song.duration_quarters)
    lead = Fraction(bar - pickup).limit_denominator(12) if pickup else Fraction(0)
    onset = [time + lead for time in onset]
    last = Fraction(bar).limit_denominator(12) * (measures or MOST_MEASURES)
    score = stream.Score()
    hands = [song.pitch >= MIDDLE_C, song.pitch < MIDDLE_C]
    whole = Fraction(bar).limit_denominator(12)
    until = max((o + d for o, d in zip(onset, duration, strict=True) if o < last), default=whole)
    until = min(last, -(-until // whole) * whole)
    for number, hand in enumerate(hands):
        rows = [
            (onset[i], min(duration[i], last - onset[i]), int(song.pitch[i]))
            for i in np.flatnonzero(hand)
            if onset[i] < last
        ]
        staff = _staff(rows, whole, until, lead, meter, key.KeySignature(estimate.sharps), number)
        score.insert(0, staff)
    score.insert(0, layout.StaffGroup(list(score.parts), symbol="brace", barTogether=True))
    return score


def quantized(onset: np.ndarray, duration: np.ndarray) -> tuple[list[Fraction], list[Fraction]]:
    """Onsets and durations in quarters on the nearest sixteenth or eighth triplet.

    A triplet is only taken where it is nearer than the sixteenth by more than a 48th of a
    quarter: what stands on the grid stays there. No note gets shorter than a sixteenth.
    """

    def nearest(value: float) -> Fraction:
        best = [Fraction(round(value * grid), grid) for grid in GRIDS]
        errors = [abs(float(b) - value) for b in best]
        return best[0] if errors[0] <= errors[1] + 1 / 48 else best[1]

    starts = [nearest(float(v)) for v in onset]
    ends = [nearest(float(v)) for v in onset + duration]
    return starts, [max(e - s, Fraction(1, 4)) for s, e in zip(starts, ends, strict=True)]


def _key(song: Song) -> Any:
    from music21 import note, stream

    flat = stream.Stream()
    for pitch, length in zip(song.pitch.tolist(), song.duration.tolist(), strict=True):
        sounding = note.Note(pitch)
        sounding.quarterLength = round(max(length, 0.01), 2)
        flat.append(sounding)
    return flat.analyze("key")


def voices(
    rows: list[tuple[Fraction, Fraction, int]],
) -> list[list[tuple[Fraction, Fraction, tuple[int, ...]]]]:
    """Notes as one or two voices without overlaps, the higher first.

    Notes that begin together and last alike share a stem. Where a note begins while both
    voices still sound, the one that would be cut shortest is cut.
    """
    chords: dict[tuple[Fraction, Fraction], list[int]] = {}
    for begin, length, pitch in rows:
        chords.setdefault((begin, length), []).append(pitch)
    by_onset: dict[Fraction, list[tuple[Fraction, tuple[int, ...]]]] = {}
    for (begin, length), pitches in chords.items():
        by_onset.setdefault(begin, []).append((length, tuple(sorted(set(pitches)))))
    lines: list[list[tuple[Fraction, Fraction, tuple[int, ...]]]] = [[], []]
    for begin in sorted(by_onset):
        here = sorted(by_onset[begin], key=lambda item: -item[1][-1])
        if len(here) > 2:  # more than two lengths at once: the lower ones share the shorter
            low = here[1:]
            merged = tuple(sorted({p for _, pitches in low for p in pitches}))
            here = [here[0], (min(length for length, _ in low), merged)]
        ends = [line[-1][0] + line[-1][1] if line else Fraction(0) for line in lines]
        if len(here) == 2:
            targets = [0, 1]
        else:
            free = [i for i in (0, 1) if ends[i] <= begin]
            if len(free) == 2:
                other_begins = lines[1] and not lines[0]
                targets = [1 if other_begins and begin < ends[1] else 0]
            elif free:
                targets = free
            else:
                targets = [0 if ends[0] <= ends[1] else 1]
        for target, (length, pitches) in zip(targets, here, strict=True):
            line = lines[target]
            if line and ends[target] > begin:
                before = line[-1]
                line[-1] = (before[0], begin - before[0], before[2])
                if line[-1][1] <= 0:
                    pitches = tuple(sorted({*pitches, *before[2]}))
                    line.pop()
            line.append((begin, length, pitches))
    return [line for line in lines if line]


def _staff(
    rows: list[tuple[Fraction, Fraction, int]],
    bar: Fraction,
    until: Fraction,
    lead: Fraction,
    meter: str,
    signature: Any,
    number: int,
) -> Any:
    """One staff: measures, each with its one or two voices, filled with rests and tied."""
    from music21 import chord, clef, note, stream, tie
    from music21 import meter as meters

    staff = stream.PartStaff(id=f"staff{number}")
    lines = voices(rows)
    count = max(int(-(-until // bar)), 1)
    for index in range(count):
        begin, end = bar * index, bar * (index + 1)
        first = max(begin, lead) if index == 0 else begin
        measure = stream.Measure(number=index if lead else index + 1)
        if index == 0:
            measure.append(
                [
                    clef.BassClef() if number else clef.TrebleClef(),
                    signature,
                    meters.TimeSignature(meter),
                ]
            )
            measure.paddingLeft = float(lead)
        within = [[e for e in line if e[0] < end and e[0] + e[1] > begin] for line in lines]
        within = [line for line in within if line] or [[]]
        for line_number, line in enumerate(within):
            voice = stream.Voice(id=str(line_number + 1))
            now = first
            for onset, length, pitches in line:
                start, stop = max(onset, begin), min(onset + length, end)
                if start > now:
                    _fill(voice, note.Rest, now, start, first, hidden=line_number > 0)
                for at, part, is_first, is_last in _pieces(start, stop, begin):
                    sound = chord.Chord(pitches) if len(pitches) > 1 else note.Note(pitches[0])
                    sound.quarterLength = part
                    _spell(sound, signature)
                    into = not (is_first and start == onset)
                    out = not (is_last and stop == onset + length)
                    if into or out:
                        sound.tie = tie.Tie(
                            "continue" if into and out else "stop" if into else "start"
                        )
                    if len(within) > 1:
                        sound.stemDirection = "down" if line_number else "up"
                    voice.insert(float(at - first), sound)
                now = stop
            if now < end:
                _fill(voice, note.Rest, now, end, first, hidden=line_number > 0)
            if len(within) == 1:
                for element in voice:
                    measure.insert(element.offset, element)
            else:
                measure.insert(0, voice)
        staff.append(measure)
    staff.makeBeams(inPlace=True)
    return staff


def _pieces(
    start: Fraction, stop: Fraction, bar: Fraction
) -> Iterator[tuple[Fraction, Fraction, bool, bool]]:
    """Lengths that one written note can have, cut at the beat: (onset, length, first, last)."""
    simple = [Fraction(n, d) for n, d in ((4, 1), (3, 1), (2, 1), (3, 2), (1, 1), (3, 4), (1, 2))]
    simple += [Fraction(1, 4), Fraction(2, 3), Fraction(1, 3), Fraction(1, 6), Fraction(1, 12)]
    simple.sort(reverse=True)
    now = start
    while now < stop:
        offset = (now - bar) % 1
        room = stop - now
        if offset and now + room > now + (1 - offset) and room not in simple:
            room = min(room, 1 - offset)  # finish the beat first
        part = next((s for s in simple if s <= room), room)
        yield now, part, now == start, now + part == stop
        now += part


def _fill(
    voice: Any, rest: Any, start: Fraction, stop: Fraction, first: Fraction, *, hidden: bool
) -> None:
    for at, length, _, _ in _pieces(start, stop, first):
        silence = rest()
        silence.quarterLength = length
        silence.style.hideObjectOnPrint = hidden
        voice.insert(float(at - first), silence)


def _spell(sound: Any, signature: Any) -> None:
    """F sharp or G flat: as the key has it."""
    flats = signature.sharps < 0
    for pitch in sound.pitches:
        if pitch.accidental is not None and (pitch.accidental.alter > 0) == flats:
            pitch.getEnharmonic(inPlace=True)


def _engraved(score: Any, measures: int | None, name: str) -> Notation:
    import verovio
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    if measures is not None:
        first = score.parts[0].getElementsByClass("Measure").first() if score.parts else None
        if first is not None:  # a pickup has number 0 and comes on top
            begin = first.number
            score = score.measures(begin, begin + measures - 1)
    shown = max((len(part.getElementsByClass("Measure")) for part in score.parts), default=0)
    try:
        text = GeneralObjectExporter(score).parse().decode("utf-8")
    except Exception as error:  # music21 raises many kinds on odd durations
        raise RenderingError(f"This music can't be written down: {error}.") from None
    seed = int(hashlib.sha256(text.encode()).hexdigest()[:7], 16)
    verovio.enableLog(verovio.LOG_OFF)
    tools = verovio.toolkit()
    tools.setOptions(
        {
            "pageWidth": 2000,
            "pageHeight": 60000,
            "adjustPageHeight": True,
            "scale": 40,
            "header": "none",
            "footer": "none",
            "breaks": "auto",
            "svgViewBox": True,
            "svgFormatRaw": True,
            "svgRemoveXlink": True,
            "xmlIdSeed": seed,
            "pageMarginLeft": 20,
            "pageMarginRight": 20,
            "pageMarginTop": 20,
            "pageMarginBottom": 20,
        }
    )
    if not tools.loadData(text):
        raise RenderingError("verovio could not read this music.")
    label = f"Notation of {name or 'a piece'}: the first {shown} measures."
    if measures is None:
        label = f"Notation of {name or 'a piece'}: all {shown} measures."
    return Notation(svg=_slim(tools.renderToSVG(1), label), label=label, measures=shown)


def _slim(svg: str, label: str) -> str:
    """verovio's SVG without what a page doesn't need, in the color of the text around it."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))

    def keep(match: re.Match[str]) -> str:
        return match.group(0) if match.group(1) in used else ""

    svg = re.sub(r'\s(?:xml:)?id="([^"]*)"', keep, svg)
    svg = re.sub(r"<!--.*?-->|<desc>.*?</desc>", "", svg, flags=re.S)
    svg = re.sub(r'\sdata-[a-z-]+="[^"]*"', "", svg)
    svg = re.sub(r"<g[^>]*/>", "", svg)
    head = f'<svg role="img" aria-label="{html.escape(label)}" '
    svg = svg[svg.index("<svg") :].replace("<svg ", head, 1)
    return svg
