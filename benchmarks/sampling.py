"""One sampled event at batch 1, beside stepping nn.LSTM."""

import torch

from benchmarks.common import Row, side_by_side
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.sampling import draw, one_thread, probabilities

STEPS = 200


@torch.inference_mode()
def sampled(network: CharLSTM, cell: bool) -> None:
    state = network.initial_state(1)
    token = torch.tensor([network.bos])
    for _ in range(STEPS):
        if cell:
            logits, state = network.step(token, state)
        else:
            logits, state = network(token[None], state)
            logits = logits[:, 0]
        p = probabilities(logits.double().numpy())
        token = torch.from_numpy(draw(p, torch.rand(1).double().numpy()))


def measure() -> list[Row]:
    network = CharLSTM(363, CharLSTMConfig(2, 256, 128)).eval()
    with one_thread():
        ours, theirs = side_by_side(lambda: sampled(network, True), lambda: sampled(network, False))
    return [("a sampled event: times the speed of stepping nn.LSTM", theirs / ours, ">=", 2.5)]
