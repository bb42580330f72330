"""Engraved notation as SVG, for music that knows its beat.

Songs go through music21 and MusicXML to verovio. (verovio reads ABC too, but some tunes abort
Python in its importer, so ABC takes the same way.) A performance has no beat to write down:
it is refused, with what to show instead. Explained in chapter 1.
"""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symphony.errors import RequestError, SongError
from symphony.files import written
from symphony.rendering.scoring import piano_score
from symphony.song import Song

# The book's theme lays outputs on a light card in the dark; ink in the text's color needs none.
_ON_DARK = (
    "<style>html[data-theme=dark] .cell_output .text_html:has(.symphony-notation)"
    "{background:none!important;color:inherit!important}</style>"
)


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
            f'<div style="min-width:34rem">{self.svg}</div></div>{_ON_DARK}'
        )

    def __repr__(self) -> str:
        return f"<Notation: {self.label}>"

    def save(self, path: str | Path) -> None:
        """Write the SVG to a file.

        Raises:
            FileError: nothing can be written there; an earlier file stays as it was.
        """
        with written(path) as partial:
            partial.write_text(self.svg, encoding="utf-8")


def notation(
    music: Any,
    measures: int | None = 8,
    *,
    meter: str | None = None,
    pickup: float = 0.0,
    marked: Any = None,
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
        marked: which notes of a song to draw in another color, as booleans [n].

    Raises:
        SongError: a performance (no quarter notes known), a song without notes, or music that
            can't be engraved.
        RequestError: a time signature that isn't one, no measure or too many, or neither a song
            nor a score.
    """
    if measures is not None and measures < 1:
        raise RequestError(f"Notation shows at least one measure, not {measures}.")
    if isinstance(music, Song):
        if not len(music):
            raise SongError("This song has no notes, so there is nothing to engrave.")
        name = music.name
        if music.abc is not None:
            score = _from_abc(music.abc)
        else:
            score = piano_score(music, measures, meter or "4/4", pickup, marked)
    elif hasattr(music, "parts") and hasattr(music, "measures"):
        name = (music.metadata.bestTitle or "") if music.metadata else ""
        name = re.sub(r"\.(mxl|xml|musicxml|krn|abc)$", "", name)
        score = music
    else:
        raise RequestError(
            f"Notation is made from a Song or a music21 score, not from {type(music).__name__}."
        )
    return _engraved(score, measures, name)


def _from_abc(text: str) -> Any:
    from music21 import converter

    try:
        found = converter.parse(text, format="abc")
    except Exception as error:  # music21's ABC reader raises whatever it stumbles over
        raise SongError(f"This ABC tune can't be engraved: {error}.") from None
    return found if hasattr(found, "parts") else found.mergeScores()


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
        raise SongError(f"This music can't be written down: {error}.") from None
    # music21 numbers its parts at random and writes the date: neither is the music
    music = re.sub(r'id="[^"]*"|<encoding-date>[^<]*', "", text)
    seed = int(hashlib.sha256(music.encode()).hexdigest()[:7], 16)
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
        raise SongError("verovio could not read this music.")
    if tools.getPageCount() > 1:
        raise RequestError(
            f"{shown} measures don't fit on one drawing: say how many to engrave, such as 32."
        )
    what = "all" if measures is None else "the first"
    label = f"Notation of {name or 'a piece'}: {what} {shown} measures."
    return Notation(svg=_slim(tools.renderToSVG(1), label), label=label, measures=shown)


def _slim(svg: str, label: str) -> str:
    """verovio's SVG without what a page doesn't need, in the color of the text around it."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    used |= set(re.findall(r"#([\w-]+) g\.", svg))  # the style names the drawing itself

    def keep(match: re.Match[str]) -> str:
        return match.group(0) if match.group(1) in used else ""

    svg = re.sub(r'\s(?:xml:)?id="([^"]*)"', keep, svg)
    svg = re.sub(r"<!--.*?-->|<desc>.*?</desc>", "", svg, flags=re.S)
    svg = re.sub(r'\sdata-[a-z-]+="[^"]*"', "", svg)
    svg = re.sub(r"<g[^>]*/>", "", svg)
    svg = svg.replace('color="black"', 'fill="currentColor"', 1)
    label = re.sub(r"[\x00-\x1f\x7f]", " ", label)  # no sign of an XML document
    head = f'<svg role="img" aria-label="{html.escape(label)}" '
    svg = svg[svg.index("<svg") :].replace("<svg ", head, 1)
    return svg
