"""A generator-critic step of the library's loop beside a bare one; rolls a second; memory."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import Row, side_by_side
from symphony.models.iwgan import IWGANConfig, IWGANCritic, IWGANGenerator
from symphony.training import adversarial, recipe
from symphony.training.gan_models import build_gan, draw_noise, make_rolls
from symphony.training.gan_recipes import GanRecipe
from symphony.training.rolls import EncodedRolls, Rolls

WARM, STEPS = 2, 12
LONG = """
import re, torch
from pathlib import Path
from symphony.models.pix2pix import Pix2PixConfig, Pix2PixCritic, Pix2PixGenerator
torch.set_num_threads(1)
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
config = Pix2PixConfig(512, 16, 16)
generator, critic = Pix2PixGenerator(config), Pix2PixCritic(config)
facade = torch.full((4, 512, 128), -1.0)
made = generator(torch.rand(4, config.noise), facade)
(critic(made, facade).mean() + made.abs().mean()).backward()
print((peak() - before) / 2**10)
"""


def bare_step(music: torch.Tensor, plan: GanRecipe) -> Callable[[], None]:
    """The shortest honest WGAN-GP: the same networks and optimizers, nothing kept or averaged."""
    config = IWGANConfig(plan.window, **{k: v for k, v in plan.model.items() if k != "kind"})
    generator, critic = IWGANGenerator(config), IWGANCritic(config)
    first = torch.optim.Adam(generator.parameters(), plan.generator_rate, plan.betas)
    second = torch.optim.Adam(critic.parameters(), plan.critic_rate, plan.betas)

    def step() -> None:
        for _ in range(plan.critic_steps):
            real = music[torch.randint(0, len(music), (plan.batch,))]
            with torch.no_grad():
                made = generator(torch.rand(plan.batch, config.noise) * 2 - 1)
            share = torch.rand(plan.batch, 1, 1)
            between = (share * real + (1 - share) * made).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
            loss = critic(made).mean() - critic(real).mean() + plan.penalty * penalty
            second.zero_grad()
            loss.backward()
            second.step()
        first.zero_grad()
        critic.requires_grad_(False)
        (-critic(generator(torch.rand(plan.batch, config.noise) * 2 - 1)).mean()).backward()
        critic.requires_grad_(True)
        first.step()

    return step


def step_seconds(plan: GanRecipe, music: EncodedRolls) -> tuple[list[float], list[float]]:
    """Seconds of each step of the real loop, and of a bare step taken right after it.

    As in ``benchmarks.training``: a step lasts from one step's first draw to the next one's, and
    both kinds alternate, so that a busy machine slows both alike.
    """
    drawn = adversarial.draw_rolls
    bare = bare_step(drawn(music.train, plan, 0, 0, 512), plan)
    mine: list[float] = []
    theirs: list[float] = []
    resumed = 0.0

    def between(
        rolls: Rolls, plan: GanRecipe, step: int, turn: int, count: int | None = None
    ) -> torch.Tensor:
        nonlocal resumed
        if count is None and turn == 0:
            now = time.perf_counter()
            if step > 0:
                mine.append(now - resumed)
                begun = time.perf_counter()
                bare()
                theirs.append(time.perf_counter() - begun)
            resumed = time.perf_counter()
        return drawn(rolls, plan, step, turn, count)

    adversarial.draw_rolls = between
    try:
        with tempfile.TemporaryDirectory() as folder:
            adversarial.train_gan(plan, music, Path(folder), device="cpu", progress=False)
    finally:
        adversarial.draw_rolls = drawn
    return mine[WARM:], theirs[WARM:]


def measure() -> list[Row]:
    chance = np.random.default_rng(0)
    part = Rolls(np.packbits(chance.random((4000, 128)) < 0.03, axis=1), np.full(20, 200, np.int32))
    about = {"name": "noise", "fingerprint": "", "licence": ""}
    codec = {"name": "rolls", "steps_per_quarter": 4}
    music = EncodedRolls(part, part, part, {}, codec, about)
    plan = replace(recipe("iwgan"), steps=WARM + STEPS + 1, evaluate_every=10_000)
    mine, theirs = step_seconds(plan, music)
    rows = [
        (
            "a generator-critic step: of a bare WGAN-GP loop's time",
            float(np.median(mine) / np.median(theirs)),
            "<=",
            1.10,
        )
    ]
    for name in ("rnn-gan", "iwgan", "dcrnn"):
        plan = recipe(name)
        generator, _ = build_gan(plan)
        noise = draw_noise(plan, 32, torch.Generator().manual_seed(0))
        given = (torch.full((32, 12), 1 / 12),) if plan.given == "key" else ()
        (seconds,) = side_by_side(lambda g=generator, n=noise, k=given: make_rolls(g, n, k))
        rows.append((f"{name}: rolls a second", 32 / seconds, ">=", 50))
    if not Path("/proc/self/status").is_file():  # not Linux: nothing tells the peak
        return rows
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    rows.append(("pix2pix: MB for four rolls of 128 x 512", float(done.stdout), "<=", 1500))
    return rows
