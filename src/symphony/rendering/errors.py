"""What rendering raises."""

from symphony.errors import SymphonyError


class RenderingError(SymphonyError):
    """A song can't be drawn, engraved or sounded; the message says why in a sentence."""
