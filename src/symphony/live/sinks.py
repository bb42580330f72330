"""Where the notes go: a tape, files, a MIDI port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from symphony.errors import RequestError, SongError
from symphony.song import TEMPO, Song

ALL_NOTES_OFF, SUSTAIN = 123, 64  # MIDI controls


class Sink(Protocol):
    """What all sinks answer."""

    def send(self, time: float, pitch: int, velocity: int) -> None:
        """A key goes down at ``time`` in seconds, or up where the velocity is 0."""

    def close(self) -> None:
        """The performance is over; every key is up."""


class Tape:
    """All that was played, in memory."""

    def __init__(self) -> None:
        self.events: list[tuple[float, int, int]] = []  # time, pitch, velocity

    def send(self, time: float, pitch: int, velocity: int) -> None:
        """Keep it."""
        self.events.append((time, pitch, velocity))

    def close(self) -> None:
        """Nothing to do."""

    @property
    def down(self) -> set[int]:
        """Keys that were struck and not released."""
        held: set[int] = set()
        for _, pitch, velocity in self.events:
            (held.add if velocity else held.discard)(pitch)
        return held

    def song(self, name: str = "played live") -> Song:
        """The notes that have begun and ended.

        Raises:
            SongError: there is none.
        """
        begun: dict[int, tuple[float, int]] = {}
        notes: list[tuple[float, float, int, int]] = []
        for time, pitch, velocity in self.events:
            since, loud = begun.pop(pitch, (time, 0))
            if loud and time > since:
                notes.append((since, time - since, pitch, loud))
            if velocity:
                begun[pitch] = time, velocity
        if not notes:
            raise SongError("Nothing was played.")
        onset, duration, pitches, loudness = map(np.array, zip(*notes, strict=True))
        tempo = np.array([[0.0, TEMPO]])
        return Song(onset, duration, pitches, loudness, tempo=tempo, name=name, source="live")


class SongFile(Tape):
    """A tape that becomes a file when the performance ends: .mid, .mp3 or .wav.

    Raises:
        RequestError: another suffix.
    """

    def __init__(self, path: str | Path) -> None:
        from symphony.rendering import check_sound_name

        super().__init__()
        self.path = Path(path)
        self._midi = self.path.suffix.lower() in (".mid", ".midi")
        if not self._midi:
            check_sound_name(self.path)

    def close(self) -> None:
        """Write it; nothing where nothing was played."""
        from symphony.rendering import write_audio

        try:
            song = self.song()
        except SongError:
            return
        if self._midi:
            song.to_midi(self.path)
        else:
            write_audio(song, self.path)


class MidiPort:
    """A MIDI output: a synthesizer, a piano, another program.

    Args:
        port: its name, or an open port of mido's.
        channel: 0 to 15.

    Raises:
        RequestError: mido isn't installed, or there is no such port.
    """

    def __init__(self, port: str | Any, channel: int = 0) -> None:
        from symphony.live.devices import midi_port

        self._mido, self._port = midi_port(port, "output")
        self._channel = channel

    def send(self, time: float, pitch: int, velocity: int) -> None:
        """Now: the improviser sends when it is time."""
        kind = "note_on" if velocity else "note_off"
        self._say(kind, note=pitch, velocity=velocity)

    def close(self) -> None:
        """Pedal up, all notes off, and the port closed, whatever came before."""
        try:
            for control in (SUSTAIN, ALL_NOTES_OFF):
                self._say("control_change", control=control, value=0)
        finally:
            self._port.close()

    def _say(self, kind: str, **what: int) -> None:
        self._port.send(self._mido.Message(kind, channel=self._channel, **what))


class Several:
    """One performance into several sinks: where one fails, the others are still closed.

    Raises:
        RequestError: no sink.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        if not sinks:
            raise RequestError("A performance needs a place to go to.")
        self._sinks = sinks

    def send(self, time: float, pitch: int, velocity: int) -> None:
        """To each, then the first error."""
        self._each(lambda sink: sink.send(time, pitch, velocity))

    def close(self) -> None:
        """Each, then the first error."""
        self._each(lambda sink: sink.close())

    def _each(self, do: Callable[[Sink], None]) -> None:
        errors = []
        for sink in self._sinks:
            try:
                do(sink)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
