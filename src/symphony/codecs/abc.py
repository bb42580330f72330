"""Tunes as characters: the body of ABC notation, its headers put back on decoding (chapter 1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int16

from symphony.errors import RequestError, SongError
from symphony.song import Song

CHARACTERS = "\n" + "".join(chr(i) for i in range(32, 127))  # printable ASCII and the line's end
_HEADER = re.compile(r"^(?:[A-Za-z]:|%)")
_CHORD_NAME = r"[A-G][b#]?(?:m|min|maj|dim|aug|sus|\+|\d)*(?:/[A-G][b#]?)?"
_MARKS = re.compile(  # a chord symbol, which stays, or what is no note
    rf'("{_CHORD_NAME}")|"[^"]*"|![^!]*!|{{[^{{}}]*}}|\[[A-Za-z]:[^\[\]]*\]|\((?!\d)|[)\\~.\sH-Wh-w]'
)
_WORD = re.compile(  # of a tune's body: what has a length, and what changes one
    r"""(?P<bar>[:|\[\]]*(?:\||::)[:|\]]*)|\((?P<tuplet>\d)|(?P<broken>>+|<+)
    |(?P<note>\[[^\]|]*\]|[_^=]*[A-Ga-gxz][,']*)(?P<times>\d*)(?P<halves>/*)(?P<over>\d*)""",
    re.VERBOSE,
)
_TUPLETS = {2: Fraction(3, 2), 3: Fraction(2, 3), 4: Fraction(3, 4), 6: Fraction(1, 3)}


@dataclass(frozen=True)
class AbcCodec:
    """Characters of a tune's body. Decoding gives ABC text, not a song: that takes an ABC reader.

    Comments and header lines before the music are left out; a change of key or meter within the
    music stays. Characters outside ASCII become a blank.

    Attributes:
        meter, length, key: the headers put back on decoding.
        plain: leave out what is no note, bar or chord symbol: ornaments, slurs, words, blanks.
    """

    meter: str = "4/4"
    length: str = "1/8"
    key: str = "C"
    plain: bool = False

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
        text = "\n".join(kept)
        if self.plain:
            text = _MARKS.sub(lambda mark: mark[1] or "", text)
        place = {character: i for i, character in enumerate(CHARACTERS)}
        return np.array([place.get(c, place[" "]) for c in text], np.int16)

    def decode(self, tokens: np.ndarray, title: str = "untitled") -> str:
        """A whole tune as ABC text.

        Raises:
            RequestError: a token outside the 96 characters.
        """
        return self.head(title) + self.body(tokens).strip("\n") + "\n"

    def body(self, tokens: np.ndarray) -> str:
        """The characters alone.

        Raises:
            RequestError: a token outside the 96 characters.
        """
        tokens = np.asarray(tokens, dtype=np.int64).reshape(-1)
        if len(tokens) and not 0 <= tokens.min() <= tokens.max() < self.vocab_size:
            raise RequestError(f"ABC characters are numbers from 0 to {self.vocab_size - 1}.")
        return "".join(CHARACTERS[token] for token in tokens)

    def head(self, title: str = "untitled") -> str:
        """The headers put back before a body."""
        return f"X:1\nT:{title}\nM:{self.meter}\nL:{self.length}\nK:{self.key}\n"

    def matches(self, song: Song) -> bool:
        """Whether a song's own headers name this meter and note length, so that its body fits."""
        return headers(song) == (self.meter, self.length)

    def bars_full(self, bodies: Sequence[str]) -> float:
        """The share of closed bars, in all bodies, that last as long as the meter says.

        The first bar may be a pickup and the last may be cut: neither counts. NaN for no bar.
        """
        wanted = Fraction(self.meter) / Fraction(self.length)
        every = [length for body in bodies for length in bar_lengths(body)[1:]]
        return sum(length == wanted for length in every) / len(every) if every else float("nan")


def headers(song: Song) -> tuple[str, str] | None:
    """Meter and unit note length of a tune's headers, such as 6/8 and 1/8; None without a meter."""
    found = {k: re.search(rf"(?m)^{k}:[ \t]*(\S+)", song.abc or "") for k in "ML"}
    meter = found["M"].group(1) if found["M"] else ""
    above, _, below = {"C": "4/4", "C|": "2/2"}.get(meter, meter).partition("/")
    if not (above.isdigit() and below.isdigit() and int(above) and int(below)):
        return None
    usual = "1/8" if int(above) / int(below) >= 0.75 else "1/16"  # where a tune doesn't say
    return f"{above}/{below}", found["L"].group(1) if found["L"] else usual


def bar_lengths(body: str) -> list[Fraction]:
    """How long each closed bar of a tune's body is, in the unit note length; empty bars left out.

    A number behind a note multiplies it, a slash halves it; (3 makes three of two, > lengthens the
    note before it at the cost of the next. Notes after the last bar line are in no closed bar.
    """
    bars, bar, factor, left, carry = [], [Fraction(0)], Fraction(1), 0, Fraction(1)
    for word in _WORD.finditer(re.sub(r'"[^"]*"|{[^}]*}', "", body)):
        if word["bar"]:
            bars += [whole] if (whole := sum(bar, Fraction(0))) else []
            bar, left, carry = [Fraction(0)], 0, Fraction(1)
        elif word["tuplet"]:
            left = int(word["tuplet"])
            factor = _TUPLETS.get(left, Fraction(2, max(left, 1)))
        elif word["broken"]:
            short = Fraction(1, 2 ** min(len(word["broken"]), 8))
            first, carry = (2 - short, short) if word["broken"][0] == ">" else (short, 2 - short)
            bar[-1] *= first
        else:
            times = int(word["times"][:4] or 1)
            below = int(word["over"][:4] or 0) if word["halves"] else 1
            below = below or 2 ** min(len(word["halves"]), 8)
            inner = re.search(r"\d+", word["note"])
            times *= int(inner.group()[:4]) if inner else 1
            bar.append(Fraction(times, below) * carry * (factor if left else 1))
            left, carry = max(left - 1, 0), Fraction(1)
    return bars


def readable(body: str) -> str:
    """What of a body any reader can read: notes, rests and bars, none longer than nine units."""
    return "".join(re.findall(r"[_^=]?(?:[A-G],?|[a-g]'?)[1-9]?|z[1-9]?|\|", body))
