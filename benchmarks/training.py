"""A training step of the library's loop, beside a bare nn.LSTM loop of the same shape."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.common import Row
from symphony.codecs import EventCodec
from symphony.training import loop, recipe
from symphony.training.encoded import EncodedCorpus
from symphony.training.recipes import Recipe

WARM, STEPS = 2, 24


def bare_step(stream: torch.Tensor, plan: Recipe, symbols: int) -> Callable[[], None]:
    """The shortest honest loop: the same layers, dropout, optimizer and clipping, nothing kept."""
    model = plan.model
    embed = nn.Embedding(symbols, model["embedding"])
    lstm = nn.LSTM(model["embedding"], model["width"], model["layers"], batch_first=True,
                   dropout=model["dropout"])  # fmt: skip
    head = nn.Linear(model["width"], symbols)
    weights = [*embed.parameters(), *lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=plan.learning_rate)

    def step() -> None:
        starts = torch.randint(0, len(stream) - plan.window - 1, (plan.batch, 1))
        rows = stream[starts + torch.arange(plan.window + 1)]
        optimizer.zero_grad()
        logits = head(functional.dropout(lstm(embed(rows[:, :-1]))[0], model["dropout"]))
        functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(weights, plan.clip)
        optimizer.step()

    return step


def step_seconds(plan: Recipe, encoded: EncodedCorpus) -> tuple[list[float], list[float]]:
    """Seconds of each step of the real loop, and of a bare step taken right after it.

    The loop draws its windows once a step, so a step lasts from one draw to the next. Both kinds
    alternate in one process: a busy machine slows both alike.
    """
    stream = torch.from_numpy(encoded.train).long()
    bare = bare_step(stream, plan, encoded.vocabulary + 1)
    mine: list[float] = []
    theirs: list[float] = []
    drawn, resumed = loop.draw_windows, 0.0

    def between(stream: torch.Tensor, plan: Recipe, step: int) -> torch.Tensor:
        nonlocal resumed
        now = time.perf_counter()
        if step > 0:
            mine.append(now - resumed)
            begun = time.perf_counter()
            bare()
            theirs.append(time.perf_counter() - begun)
        resumed = time.perf_counter()
        return drawn(stream, plan, step)

    loop.draw_windows = between
    try:
        with tempfile.TemporaryDirectory() as folder:
            loop.train(plan, encoded, Path(folder), device="cpu", progress=False)
    finally:
        loop.draw_windows = drawn
    return mine[WARM:], theirs[WARM:]


def measure() -> list[Row]:
    chance = np.random.default_rng(0)
    streams = [chance.integers(0, 363, n).astype(np.int16) for n in (100_000, 400, 400)]
    about = {"name": "noise", "fingerprint": "", "licence": ""}
    encoded = EncodedCorpus(*streams, 363, EventCodec().to_dict(), about)
    plan = recipe("char-rnn", "small")
    plan = replace(plan, steps=WARM + STEPS + 1, evaluate_every=10_000, snapshots=())
    mine, theirs = step_seconds(plan, encoded)
    ratio = float(np.median(mine) / np.median(theirs))
    return [("a training step: of a bare nn.LSTM loop's time", ratio, "<=", 1.05)]
