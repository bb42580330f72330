"""A codec from the JSON in a card."""

from __future__ import annotations

from typing import Any

from symphony.codecs.events import EventCodec
from symphony.errors import SymphonyError


def codec_from_dict(about: dict[str, Any]) -> EventCodec:
    """The codec whose ``to_dict()`` this is.

    Raises:
        SymphonyError: no codec of this name, or settings it doesn't have.
    """
    settings = dict(about)
    name = settings.pop("name", None)
    if name != "events":
        raise SymphonyError(f"There is no codec {name!r} that models read; known: events.")
    try:
        return EventCodec(**settings)
    except TypeError:
        raise SymphonyError(f"The codec {name} has no such settings: {settings}.") from None
