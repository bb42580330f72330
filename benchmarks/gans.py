"""A WGAN-GP step of the library beside a bare one; rolls a second; memory."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import Row, side_by_side, stepping
from symphony.systems import recipe, system
from symphony.systems.iwgan.network import WGANCritic, WGANGenerator
from symphony.systems.iwgan.system import WGANRecipe
from symphony.systems.rolls import REPORT, draw_rolls, in_batches
from symphony.training import Data

STEPS = 12
MADE = 32  # rolls
LONG = """
import re, torch
from pathlib import Path
from symphony.systems.pix2pix.network import PatchGAN, Pix2PixConfig, UNet
torch.set_num_threads(1)
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
config = Pix2PixConfig(512, 16, 16)
generator, discriminator = UNet(config), PatchGAN(config)
facade = torch.full((4, 512, 128), -1.0)
fake = generator(torch.rand(4, config.noise), facade)
(discriminator(fake, facade).mean() + fake.abs().mean()).backward()
print((peak() - before) / 2**10)
"""


def bare_step(music: torch.Tensor, recipe: WGANRecipe) -> Callable[[], None]:
    """The shortest honest WGAN-GP: the same networks and optimizers, nothing kept or averaged."""
    generator, critic = WGANGenerator(recipe.network), WGANCritic(recipe.network)
    first = torch.optim.Adam(generator.parameters(), recipe.generator_lr, recipe.betas)
    second = torch.optim.Adam(critic.parameters(), recipe.discriminator_lr, recipe.betas)

    def noise() -> torch.Tensor:
        return torch.rand(recipe.batch, recipe.network.noise) * 2 - 1

    def step() -> None:
        for _ in range(recipe.critic_steps):
            real = music[torch.randint(0, len(music), (recipe.batch,))]
            with torch.no_grad():
                fake = generator(noise())
            epsilon = torch.rand(recipe.batch, 1, 1)
            between = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
            (grad,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            penalty = (grad.flatten(1).norm(dim=1) - 1).square().mean()
            loss = critic(fake).mean() - critic(real).mean() + recipe.gp_weight * penalty
            second.zero_grad()
            loss.backward()
            second.step()
        first.zero_grad()
        critic.requires_grad_(False)
        (-critic(generator(noise())).mean()).backward()
        critic.requires_grad_(True)
        first.step()

    return step


def random_rolls() -> Data:
    """Twenty pieces of 200 rows, in each split."""
    rng = np.random.default_rng(0)
    packed = np.packbits(rng.random((4000, 128)) < 0.03, axis=1)
    split = {"packed": packed, "lengths": np.full(20, 200, np.int32)}
    about = {"corpus": {"name": "noise", "fingerprint": "", "licence": ""}}
    return Data(dict.fromkeys(("train", "validation", "test"), split), about)


def measure() -> list[Row]:
    data, wgan = random_rolls(), recipe("iwgan")
    bare = bare_step(draw_rolls(data.train, wgan, 0, 0, 512), wgan)
    ours, theirs = side_by_side(stepping(wgan, data), bare, rounds=STEPS)
    rows = [("a WGAN-GP step: of a bare WGAN-GP loop's time", ours / theirs, "<=", 1.10)]
    whole = replace(wgan, network=replace(wgan.network, lowest=0, pitches=128))
    cropped, uncropped = side_by_side(stepping(wgan, data), stepping(whole, data), rounds=STEPS)
    rows.append(("a WGAN step on 64 keys: times the speed on 128", uncropped / cropped, ">=", 1.8))
    for name in ("rnn-gan", "iwgan", "dcrnn"):
        learner = system(recipe(name))
        generator = learner.kept(learner.build(data))["generator"].eval()
        batch = learner.batch(data, "test", MADE, REPORT)
        (seconds,) = side_by_side(partial(in_batches, generator, batch.noise, *batch.condition))
        rows.append((f"{name}: rolls a second", MADE / seconds, ">=", 50))
    if not Path("/proc/self/status").is_file():  # not Linux: nothing tells the peak
        return rows
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    rows.append(("pix2pix: MB for four rolls of 128 x 512", float(done.stdout), "<=", 1500))
    return rows
