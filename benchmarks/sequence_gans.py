"""Roll-outs beside the loop that reads every prefix again; an ABC critic beside a bare one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from benchmarks.common import Row, side_by_side
from symphony.systems import recipe, system
from symphony.systems.abc_wgan.network import GRUCritic, SoftGenerator
from symphony.systems.seqgan.network import Policy, SeqGANConfig, pick
from symphony.training import Data
from symphony.training.system import descend

LENGTHS = (8, 16, 32)  # words
BATCH, ROLL_OUTS = 8, 4


def naive(policy: Policy, words: torch.Tensor, count: int) -> None:
    """Every prefix read again from its start, N times."""
    steps = words.shape[1]
    with torch.no_grad():
        for prefix in range(1, steps):
            for _ in range(count):
                line, state = words[:, :prefix], None
                begun = torch.nn.functional.pad(line, (1, 0), value=policy.bos)
                logits, state = policy(begun)
                for _ in range(prefix, steps):
                    drawn = pick(logits[:, -1, : policy.bos], torch.rand(len(words)))
                    logits, state = policy(drawn[:, None], state)


def roll_outs(length: int) -> float:
    """How many times faster cached, batched roll-outs are."""
    torch.manual_seed(0)
    policy = Policy(288, SeqGANConfig(length, 128))
    words, states = policy.draw(torch.rand(BATCH, length))
    uniform = torch.rand(BATCH, ROLL_OUTS, length, length)
    ours, theirs = side_by_side(
        lambda: policy.roll_outs(words, states, uniform),
        lambda: naive(policy, words, ROLL_OUTS),
        rounds=3,
    )
    return theirs / ours


def characters() -> Data:
    """Random characters, any of which a line may begin at."""
    rng = np.random.default_rng(0)
    split = {
        "characters": rng.integers(0, 96, 5000).astype(np.int16),
        "starts": np.arange(4900),
    }
    about = {"corpus": {"name": "noise", "fingerprint": "", "licence": ""}}
    return Data(dict.fromkeys(("train", "validation", "test"), split), about)


def critic_steps() -> tuple[Callable[[], None], Callable[[], None]]:
    """The library's critic step on whole lines, and the shortest honest one."""
    plain = {"curriculum": False, "variable_length": False, "teacher_helping": False}
    chosen = replace(recipe("abc-wgan"), critic_steps=1, generator_steps=1, **plain)
    learner, data, r = system(chosen), characters(), chosen
    nets = learner.build(data)
    opts, rng = learner.optimizers(nets), torch.Generator().manual_seed(0)
    generator, critic = SoftGenerator(96, r.network), GRUCritic(96, r.network)
    adam = torch.optim.Adam(critic.parameters(), r.lr, r.betas)
    lines = torch.randint(0, 96, (1000, r.network.steps))

    def ours() -> None:
        length = learner.length(0, np.random.default_rng(0))
        real = nets["generator"].one_hot(learner.lines(data.train, length, r.batch, 0, 0, 0))
        with torch.no_grad():
            fake = learner.fake(nets, data, length, rng, 0)
        loss, _, _ = learner.critic_loss(nets, real, fake, torch.rand(r.batch, 1, 1))
        descend(loss, opts["critic"], clip=r.clip)

    def bare() -> None:
        real = generator.one_hot(lines[torch.randint(0, 1000, (r.batch,))])
        with torch.no_grad():
            fake = generator(torch.randn(r.batch, r.network.noise), r.network.steps)
        mix = torch.rand(r.batch, 1, 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_()
        (grad,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = (grad.flatten(1).norm(dim=1) - 1).square().mean()
        loss = critic(fake).mean() - critic(real).mean() + r.gp_weight * penalty
        adam.zero_grad()
        loss.backward()
        adam.step()

    return ours, bare


def measure() -> list[Row]:
    rows = [
        (
            f"roll-outs of {length} words: times faster than the naive loop",
            roll_outs(length),
            ">=",
            4,
        )
        for length in LENGTHS
    ]
    ours, bare = critic_steps()
    ours(), bare()
    one, other = side_by_side(ours, bare, rounds=9)
    return [*rows, ("an ABC critic's step: of a bare one's time", one / other, "<=", 1.10)]
