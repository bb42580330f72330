"""DCRNN and the Continuous SeqAE for a browser: their weights in half precision, their boards.

Both are small, so that half precision, as the weights are shipped in, costs little; and both end
in a decision (a key sounds or doesn't, a token is the likeliest) that eight bits would change.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from torch import nn

from symphony.codecs import key_profile
from symphony.errors import RequestError
from symphony.live.browser import KEYS, framed, recorded, source
from symphony.song import TEMPO
from symphony.training.system import Trained

VELOCITY = 80  # MIDI's, of every note of a roll


def halves(module: nn.Module) -> tuple[list[dict[str, Any]], str]:
    """Where each tensor lies, as rows of columns, and all of them as text of 16-bit numbers.

    Raises:
        RequestError: weights that half precision can't hold.
    """
    tensors, arrays, at = [], [], 0
    for name, weight in module.state_dict().items():
        with np.errstate(over="ignore"):
            array = weight.float().numpy().astype("<f2")
        if not np.isfinite(array).all():
            raise RequestError(f"{name} isn't finite in half precision.")
        rows = array.shape[0]
        tensors.append({"name": name, "rows": rows, "cols": array.size // rows, "at": at})
        arrays.append(array.tobytes())
        at += array.size
    return tensors, base64.b64encode(b"".join(arrays)).decode()


def origin(trained: Trained) -> dict[str, Any]:
    """Which weights a page plays, and under which licence."""
    card = trained.card
    return {
        "name": trained.name,
        "weights": card.weights_sha256,
        "licence": card.corpus["licence"],
    }


def packed_rows(trained: Trained) -> dict[str, Any]:
    """What ``rows.js`` calls a packed model: DCRNN's generator, its shape, and the keys it knows.

    Raises:
        RequestError: another system.
    """
    shape: Any = getattr(trained.recipe, "network", None)
    if not getattr(shape, "strip_channels", 0):
        raise RequestError(f"{trained.name} has no pads: it composes no rows with strips.")
    tensors, data = halves(trained.nets["generator"])
    header = {
        **origin(trained),
        "noise": shape.noise,
        "phrase": shape.phrase,
        "repeat": shape.repeat,
        "lowest": shape.lowest,
        "octaves": shape.octaves,
        "channels": shape.strip_channels,
        "binary": shape.binary,
        "keys": row_keys(trained),
        "rows": trained.recipe.codec.steps_per_quarter,
        "tempo": TEMPO,
        "velocity": VELOCITY,
        "tensors": tensors,
    }
    return {"header": header, "data": data}


def row_keys(trained: Trained) -> dict[str, list[float]]:
    """Each key's histogram as the generator reads it; none where it reads none."""
    if not trained.recipe.network.conditional:
        return {}
    profiles = trained.card.facts["keys"]
    return {key: (12 * key_profile(profiles, key) - 1).round(6).tolist() for key in KEYS}


def packed_codes(trained: Trained) -> dict[str, Any]:
    """What ``codes.js`` calls a packed model: the decoder of digits, and the shape of a window.

    Raises:
        RequestError: another system, or digits of more than two levels.
    """
    shape: Any = getattr(trained.recipe, "network", None)
    if getattr(shape, "levels", None) != 2:
        raise RequestError(f"{trained.name} has no switches: its digits have not two levels.")
    tensors, data = halves(trained.nets["autoencoder"].digit_decoder)
    header = {
        **origin(trained),
        "digits": shape.digits,
        "levels": shape.levels,
        "window": shape.window,
        "tensors": tensors,
    }
    return {"header": header, "data": data}


def pads(trained: Trained, model: str, piano: str | None = None) -> str:
    """HTML of a pad between four noises; URLs as :func:`symphony.live.browser.page` takes them."""
    keys = json.dumps(list(row_keys(trained)))
    return _board("rows.js", "mountPads", model, piano, f"keys: {keys}")


def switches(trained: Trained, model: str, piano: str | None = None) -> str:
    """HTML of a code's switches, all of them off; URLs likewise."""
    off = "0" * trained.recipe.network.digits
    return _board("codes.js", "mountSwitches", model, piano, f"home: {json.dumps(off)}")


def _board(module: str, mount: str, model: str, piano: str | None, option: str) -> str:
    options = [option, "load", *recorded(piano)]
    modules = source("play.js", "piano.js", "stage.js", module)
    style = source("play.css", "boards.css")
    return framed(style, modules, model, f"{mount}(root, {{ {', '.join(options)} }});")
