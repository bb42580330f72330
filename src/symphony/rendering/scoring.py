"""From a song that knows its beat to a score of two staves: grid, hands, voices, spelling."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from symphony.errors import RequestError, SongError
from symphony.song import Song

MIDDLE_C = 60
GRIDS = (4, 3)  # sixteenths and eighth triplets: what a quarter note is divided into
MOST_MEASURES = 400
MARK = "#c4512d"


def piano_score(
    song: Song, measures: int | None, meter: str, pickup: float, marked: Any = None
) -> Any:
    """A music21 score of two staves; the arguments are those of ``notation``.

    Raises:
        SongError: a performance.
        RequestError: a time signature that isn't one, a pickup that fills a measure, or more
            measures than fit.
    """
    from music21 import key, layout, stream
    from music21 import meter as meters

    if song.onset_quarters is None or song.duration_quarters is None:
        raise SongError(
            f"{song.name or 'This song'} is a performance: it knows seconds but no beat, so "
            "written notes would be nonsense. Show rendering.piano_roll(song) instead, or "
            "quantize it to a beat first."
        )
    try:
        bar = float(meters.TimeSignature(meter).barDuration.quarterLength)
    except Exception:
        raise RequestError(
            f"{meter!r} is not a time signature; one looks like 3/4 or 6/8."
        ) from None
    if not 0 <= pickup < bar:
        raise RequestError(
            f"A pickup is shorter than a measure of {bar:g} quarters, not {pickup:g}."
        )
    estimate = _key(song)
    onset, duration = quantized(song.onset_quarters, song.duration_quarters)
    lead = Fraction(bar - pickup).limit_denominator(12) if pickup else Fraction(0)
    onset = [time + lead for time in onset]
    whole = Fraction(bar).limit_denominator(16)
    if measures is None and max(onset) >= whole * MOST_MEASURES:
        raise RequestError(
            f"This song has more than {MOST_MEASURES} measures: say how many to engrave."
        )
    last = whole * (measures or MOST_MEASURES)
    score = stream.Score()
    hands = [song.pitch >= MIDDLE_C, song.pitch < MIDDLE_C]
    colored = np.zeros(len(song), bool) if marked is None else np.asarray(marked, bool)
    until = max((o + d for o, d in zip(onset, duration, strict=True) if o < last), default=whole)
    until = min(last, -(-until // whole) * whole)
    for number, hand in enumerate(hands):
        rows = [
            (onset[i], min(duration[i], last - onset[i]), int(song.pitch[i]))
            for i in np.flatnonzero(hand)
            if onset[i] < last
        ]
        staff = _staff(rows, whole, until, lead, meter, key.KeySignature(estimate.sharps), number)
        _mark(staff, {(onset[i], int(song.pitch[i])) for i in np.flatnonzero(hand & colored)}, lead)
        score.insert(0, staff)
    score.insert(0, layout.StaffGroup(list(score.parts), symbol="brace", barTogether=True))
    return score


def _mark(staff: Any, notes: set[tuple[Fraction, int]], lead: Fraction) -> None:
    """Color the notes of a staff that begin at these times with these pitches."""
    for chord in staff.recurse().notes:
        if chord.tie is not None and chord.tie.type != "start":
            continue  # the rest of a note that has its color where it begins
        at = chord.getOffsetInHierarchy(staff) + lead  # a pickup's measure is short
        for note in getattr(chord, "notes", [chord]):
            if (Fraction(at).limit_denominator(12), note.pitch.midi) in notes:
                note.style.color = MARK


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
    """The likeliest key of how long each pitch class sounds."""
    from music21 import note, stream

    flat = stream.Stream()
    for pitch_class in range(12):
        length = float(song.duration[song.pitch % 12 == pitch_class].sum())
        if length:
            sounding = note.Note(pitch_class + 60)
            sounding.quarterLength = max(round(length, 2), 0.01)
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
    for (begin, length), keys in chords.items():
        by_onset.setdefault(begin, []).append((length, tuple(sorted(set(keys)))))
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
    """F sharp or G flat: the name that lies nearest to the key on the line of fifths."""
    for pitch in sound.pitches:
        # a key of s sharps spells its twelve notes from 3 fifths below s to 8 above: in C,
        # from E flat to the G sharp that leads to A minor
        low = signature.sharps - 3
        fifths = low + (pitch.midi * 7 - low) % 12
        octave = pitch.midi // 12 - 1
        sharps, letter = divmod(fifths + 1, 7)
        pitch.name = "FCGDAEB"[letter] + ("#" * sharps if sharps > 0 else "-" * -sharps)
        # B sharp is written an octave below the C that it sounds as, C flat above its B
        pitch.octave = (
            octave + (pitch.name[0] == "C" and sharps < 0) - (pitch.name[0] == "B" and sharps > 0)
        )
