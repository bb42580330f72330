"""Songs heard and seen: sound, piano rolls, overlap plots, notation, the page's player, diagrams.

The functions are imported here at once (their heavy libraries only when they run), so that
``rendering.player`` and ``rendering.notation`` are always the functions, never the modules.
"""

from symphony.rendering.audio import (
    check_sound_name,
    mp3_bytes,
    sound_seconds,
    synthesize,
    write_audio,
)
from symphony.rendering.board import Board, switch_widgets, switchboard
from symphony.rendering.diagram import Arrow, Node, diagram
from symphony.rendering.files import render_file
from symphony.rendering.notation import Notation, notation
from symphony.rendering.player import Player, player, players
from symphony.rendering.plots import clock, describe, note_name, overlap, piano_roll, sample_history

__all__ = [
    "Arrow",
    "Board",
    "Node",
    "Notation",
    "Player",
    "check_sound_name",
    "clock",
    "describe",
    "diagram",
    "mp3_bytes",
    "notation",
    "note_name",
    "overlap",
    "piano_roll",
    "player",
    "players",
    "render_file",
    "sample_history",
    "sound_seconds",
    "switch_widgets",
    "switchboard",
    "synthesize",
    "write_audio",
]
