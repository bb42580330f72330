"""A conditional Char-RNN for a browser: its weights in eight bits, as a script that pages load.

A page that is read from a folder may load scripts, but neither modules nor data; so the weights
travel as text in a script, and ``play.js`` stands in the page itself.
"""

from __future__ import annotations

import base64
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int8

from symphony.codecs.conditions import CONDITION, DENSITY, HISTOGRAM, LEVELS, PITCH
from symphony.codecs.plans import scale_histogram
from symphony.errors import RequestError
from symphony.training.system import Trained

TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MODULES = ("play.js", "copies.js", "piano.js", "scales.js")  # of the page to play on
KEYS = tuple(f"{tonic} {mode}" for tonic in TONICS for mode in ("major", "minor"))


def quantize(
    matrix: Float32[np.ndarray, "r c"],
) -> tuple[Int8[np.ndarray, "r c"], Float32[np.ndarray, " r"]]:
    """Each row as whole numbers from -127 to 127 and one scale: an error of half a step at most."""
    scales = np.maximum(np.abs(matrix).max(axis=1) / 127, 1e-12).astype(np.float32)
    return np.round(matrix / scales[:, None]).astype(np.int8), scales


def packed(trained: Trained) -> dict[str, Any]:
    """What ``play.js`` calls a packed model: a header, and the weights as text.

    Raises:
        RequestError: a system without the network and the condition that ``play.js`` knows.
    """
    header, data = parts(trained)
    return {"header": header, "data": base64.b64encode(data).decode()}


def parts(trained: Trained) -> tuple[dict[str, Any], bytes]:
    """The same as a header and bytes, as a notebook's kernel sends them.

    Raises:
        RequestError: a system without the network and the condition that ``play.js`` knows.
    """
    if not hasattr(trained.recipe, "condition") or "network" not in trained.nets:
        raise RequestError(f"{trained.name} can't be played in a browser: it takes no condition.")
    codec, network = trained.recipe.codec, trained.nets["network"]
    if getattr(network, "embed", None) is None:
        raise RequestError(f"{trained.name} can't be played in a browser: it has no embedding.")
    tensors, data = [], b""
    for name, weight in network.state_dict().items():
        array = weight.float().numpy()
        rows, cols = array.shape if array.ndim == 2 else (len(array), 1)
        tensors.append({"name": name, "rows": rows, "cols": cols, "at": len(data)})
        if array.ndim == 2:
            small, scales = quantize(array)
            data += scales.astype("<f4").tobytes() + small.tobytes()
            data += bytes(-len(data) % 4)
        else:
            data += array.astype("<f4").tobytes()
    (default,) = codec.velocity_class(np.array([80]))
    header = {
        "name": trained.name,
        "weights": trained.card.weights_sha256,
        "licence": trained.card.corpus["licence"],
        "bos": codec.bos,
        "velocities": codec.class_velocity(np.arange(codec.velocity_bins)).tolist(),
        "velocity": int(codec.class_velocity(default)),
        "levels": LEVELS,
        "places": {
            "pitch": PITCH.start,
            "density": DENSITY.start,
            "histogram": HISTOGRAM.start,
            "size": CONDITION,
        },
        "keys": {key: scale_histogram(key).round(6).tolist() for key in KEYS},
        "tensors": tensors,
    }
    return header, data


def dequantized(trained: Trained) -> Any:
    """The network with its matrices as a browser has them, for comparison."""
    from copy import deepcopy

    network = deepcopy(trained.nets["network"]).float()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() == 2:
                small, scales = quantize(weight.numpy())
                weight.copy_(torch.from_numpy(small * scales[:, None]))
    return network


def write_model(trained: Trained, path: Path) -> None:
    """The script that pages load: it leaves the packed model in ``symphonyModel``."""
    write_script(packed(trained), path)


def write_script(model: dict[str, Any], path: Path) -> None:
    """A packed model as a script."""
    path.write_text(f"globalThis.symphonyModel={json.dumps(model)};\n", "utf-8")


def source(*names: str) -> str:
    """Modules of this folder as one, each after those it imports; or styles.

    A page that is read from a folder can't import. What the modules take from each other stands
    in the same one then, so that their imports go.
    """
    here = files("symphony.live")
    texts = (here.joinpath(name).read_text("utf-8") for name in names)
    return "\n".join(re.sub(r'(?m)^import \{[^}]*\} from "\./\w+\.js";\n', "", t) for t in texts)


def page(model: str, copies: str | None = None, piano: str | None = None) -> str:
    """HTML to play on: style, a place for the pad, the modules.

    Args:
        model: URL of the script that leaves the packed model.
        copies: URL of the script that leaves the packed index of a copy meter, if there is one.
        piano: URL of the folder with the scripts of a recorded piano, if there is one.
    """
    options = [f"keys: {json.dumps(KEYS)}", "load", "scales: scaleBoard"]
    if copies:
        options.append(f"copies: copyLine(() => left({json.dumps(copies)}, 'symphonyCopies'))")
    options += recorded(piano)
    mounting = f"mount(root, {{ {', '.join(options)} }});"
    return framed(source("play.css"), source(*MODULES), model, mounting)


def recorded(piano: str | None) -> list[str]:
    """What to mount an instrument with where a page has the scripts of a recorded piano."""
    if not piano:
        return []
    key = f"(name) => left({json.dumps(piano)} + `/${{name}}.js`, 'symphonyPiano')"
    return [f"recorded: (context) => recordings(context, {key})"]


def framed(style: str, module: str, model: str, mounting: str) -> str:
    """HTML of an instrument: ``mounting`` puts it into ``root``, and ``load`` gives its model."""
    starter = (
        "const left = (src, name) => new Promise((found, failed) => {\n"
        "  const script = Object.assign(document.createElement('script'), { src });\n"
        "  script.onload = () => {\n"
        "    found(globalThis[name]);\n"
        "    delete globalThis[name];\n"
        "    script.remove();\n"
        "  };\n"
        "  script.onerror = failed;\n"
        "  document.head.append(script);\n"
        "});\n"
        f"const load = () => left({json.dumps(model)}, 'symphonyModel');\n"
        f"const root = document.querySelector('.symphony-play[data-model={json.dumps(model)}]');\n"
        f"{mounting}\n"
    )
    place = f'<div class="symphony-play" data-model="{model}">'
    return (
        f"<style>{style}</style>"
        f"{place}<noscript>Playing needs JavaScript.</noscript></div>"
        f'<script type="module">{module}\n{starter}</script>'
    )
