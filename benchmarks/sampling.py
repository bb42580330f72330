"""One sampled event at batch 1, beside stepping nn.LSTM."""

import torch

from benchmarks.common import Row, side_by_side
from symphony.models.char_rnn import CharRNN, CharRNNConfig
from symphony.models.sampling import draw, one_thread, probabilities

STEPS = 200


@torch.inference_mode()
def sampled(model: CharRNN, cell: bool) -> None:
    state = model.begin(1)
    token = torch.tensor([model.config.start])
    for _ in range(STEPS):
        if cell:
            logits, state = model.step(token, state)
        else:
            logits, state = model(token[None], state)
            logits = logits[:, 0]
        chances = probabilities(logits.double().numpy())
        token = torch.from_numpy(draw(chances, torch.rand(1).double().numpy()))


def measure() -> list[Row]:
    model = CharRNN(CharRNNConfig(363, 2, 256, 128)).eval()
    with one_thread():
        ours, theirs = side_by_side(lambda: sampled(model, True), lambda: sampled(model, False))
    return [("a sampled event: times the speed of stepping nn.LSTM", theirs / ours, ">=", 2.5)]
