"""Windows to codes and back, beside the same modules called bare."""

import numpy as np
import torch

from benchmarks.common import Row, side_by_side
from symphony.systems.sampling import one_thread
from symphony.systems.seqae.network import SeqAE
from symphony.systems.seqae.system import SMALL, decoded, encoded

COUNT = 4096  # windows


@torch.inference_mode()
def bare_encode(net: SeqAE, windows: torch.Tensor) -> torch.Tensor:
    e = net.encoder
    _, last = e.gru(e.embed.what(windows[..., 0]) + e.embed.length(windows[..., 1] - 1))
    return e.code(last[0]) > 0


@torch.inference_mode()
def bare_decode(net: SeqAE, codes: torch.Tensor) -> torch.Tensor:
    d = net.digit_decoder
    state, weights = torch.tanh(d.start(codes)), d.gru.all_weights[0]
    what, length = torch.full((COUNT,), 130), torch.zeros(COUNT, dtype=torch.long)
    for _ in range(net.config.window):
        state = torch.gru_cell(d.embed.what(what) + d.embed.length(length), state, *weights)
        what, length = d.what(state).argmax(1), d.length(state).argmax(1)
    return what


def measure() -> list[Row]:
    rng, net = np.random.default_rng(0), SeqAE(SMALL).eval()
    windows = np.stack([rng.integers(40, 80, (COUNT, 8)), rng.integers(1, 17, (COUNT, 8))], 2)
    codes = rng.integers(0, 2, (COUNT, SMALL.digits))
    tensor, values = torch.from_numpy(windows), torch.from_numpy(codes) * 2.0 - 1
    with one_thread():
        ours, bare = side_by_side(lambda: encoded(net, windows), lambda: bare_encode(net, tensor))
        back, plain = side_by_side(lambda: decoded(net, codes), lambda: bare_decode(net, values))
    return [
        ("windows encoded: times the seconds of bare torch", ours / bare, "<=", 1.1),
        ("codes decoded: times the seconds of bare torch", back / plain, "<=", 1.1),
    ]
