"""Tunes as characters: the body of ABC notation, its headers put back on decoding (chapter 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int16

from symphony.errors import RequestError, SongError
from symphony.song import Song

CHARACTERS = "\n" + "".join(chr(i) for i in range(32, 127))  # printable ASCII and the line's end
_HEADER = re.compile(r"^(?:[A-Za-z]:|%)")


@dataclass(frozen=True)
class AbcCodec:
    """Characters of a tune's body. Decoding gives ABC text, not a song: that takes an ABC reader.

    Comments and header lines before the music are left out; a change of key or meter within the
    music stays. Characters outside ASCII become a blank.

    Attributes:
        meter, length, key: the headers put back on decoding.
    """

    meter: str = "4/4"
    length: str = "1/8"
    key: str = "C"

    @property
    def vocab_size(self) -> int:
        """96 characters."""
        return len(CHARACTERS)

    def encode(self, song: Song) -> Int16[np.ndarray, " t"]:
        """The characters of the tune's body.

        Raises:
            SongError: the song didn't come from ABC.
        """
        if song.abc is None:
            raise SongError(f"{song.name or 'This song'} did not come from ABC: it has no text.")
        lines = [line.rstrip() for line in song.abc.splitlines()]
        music = next((i for i, line in enumerate(lines) if line and not _HEADER.match(line)), 0)
        kept = [line for line in lines[music:] if line and not line.startswith("%")]
        place = {character: i for i, character in enumerate(CHARACTERS)}
        return np.array([place.get(c, place[" "]) for c in "\n".join(kept)], np.int16)

    def decode(self, tokens: np.ndarray, title: str = "untitled") -> str:
        """A whole tune as ABC text.

        Raises:
            RequestError: a token outside the 96 characters.
        """
        tokens = np.asarray(tokens, dtype=np.int64).reshape(-1)
        if len(tokens) and not 0 <= tokens.min() <= tokens.max() < self.vocab_size:
            raise RequestError(f"ABC characters are numbers from 0 to {self.vocab_size - 1}.")
        body = "".join(CHARACTERS[token] for token in tokens)
        head = f"X:1\nT:{title}\nM:{self.meter}\nL:{self.length}\nK:{self.key}\n"
        return head + body.strip("\n") + "\n"
