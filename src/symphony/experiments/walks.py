"""Walks among codes: random, by a bigram prior, greedy, and by reinforcement (chapter 10).

Policies choose which switches to flip. They are rewarded by a Char-RNN of training tunes, and
evaluated by an n-gram model of tunes that neither they nor the autoencoder has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from symphony.codecs import song_windows
from symphony.song import Song
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.char_rnn.system import CharRNN, CharRNNRecipe
from symphony.systems.ngram.network import NGramTable
from symphony.systems.seqae.network import END, NEXT, SeqAE
from symphony.systems.seqae.system import decoded
from symphony.training import Data, Trained
from symphony.training.system import Nets

ORDER = 8  # of the n-gram model: a window and what came before
VOCABULARY = NEXT + 16  # pitches, and a wait for each length; then the start symbol
COPY = 12  # intervals in a row that are called a copy
NEAR = 2  # flips that a greedy walk considers
UPDATES = 1000  # of a policy
LEARNED = {"learned": 0.0, "learned, fined": 1.0}  # what a policy pays for a repeated window
REAL = "unseen tunes"

CHAR_RNN = CharRNNRecipe(  # chapter 2's, small enough to score ten thousand walks
    name="char-rnn",
    size="small",
    steps=1500,
    window=64,
    lr=4e-3,
    schedule="cosine",
    warmup=50,
    network=CharLSTMConfig(num_layers=1, hidden_size=192, embedding_dim=48),
)

Losses = Callable[[Int[np.ndarray, "B n+1"]], Float[np.ndarray, "B n"]]  # nats after the first
Walker = Callable[[Int[np.ndarray, " B"], np.random.Generator], Int[np.ndarray, " B"]]


def all_codes(digits: int) -> Int[np.ndarray, "n m"]:
    """Every binary code; code i's digits are the bits of i, the first one the highest."""
    return np.arange(2**digits)[:, None] >> np.arange(digits)[::-1] & 1


def numbers(codes: Int[np.ndarray, "*B m"]) -> Int[np.ndarray, "*B"]:
    """Binary codes as whole numbers, the first digit the highest."""
    found: np.ndarray = codes @ (1 << np.arange(codes.shape[-1])[::-1])
    return found


def symbols(windows: Int[np.ndarray, "*B T 2"]) -> Int[np.ndarray, "*B T"]:
    """A row as one symbol: a pitch, or a wait with its length; END as the shortest wait."""
    what, length = windows[..., 0], windows[..., 1]
    found: np.ndarray = np.where(what >= NEXT, NEXT + np.where(what == END, 1, length) - 1, what)
    return found


@dataclass(frozen=True)
class CodeSpace:
    """All windows that a model can play, and what real tunes say about them."""

    windows: Int[np.ndarray, "n T 2"]  # of every code
    rows: Int[np.ndarray, "n T"]  # the same as symbols
    likely: Losses  # a Char-RNN of training tunes: what policies are rewarded by
    held_out: Losses  # an n-gram model of unseen tunes: what evaluates them
    known: frozenset[bytes]  # runs of intervals in training tunes
    steps: dict[int, np.ndarray]  # code -> codes that followed it in training tunes
    starts: Int[np.ndarray, " k"]  # codes of unseen tunes' first windows

    @staticmethod
    def of(
        trained: Trained,
        train: Sequence[Song],
        unseen: Sequence[Song],
        starts: Sequence[Song],
        steps: int = CHAR_RNN.steps,
    ) -> CodeSpace:
        """The space of a model with binary codes; ``steps`` are the Char-RNN's, trained here."""
        net, system = trained.nets["autoencoder"], trained.system
        windows = decoded(net, all_codes(net.config.digits))
        follow: dict[int, list[int]] = {}
        known: set[bytes] = set()
        for song in long_enough(trained, train):
            path = numbers(system.codes(net, song)).tolist()
            for here, there in pairwise(path):
                follow.setdefault(here, []).append(there)
            intervals = np.diff(song.pitch.astype(np.int16))
            known |= {intervals[i : i + COPY].tobytes() for i in range(len(intervals) - COPY + 1)}
        first = [numbers(system.codes(net, s)[0]) for s in long_enough(trained, starts)]
        return CodeSpace(
            windows,
            symbols(windows),
            char_rnn(stream_of(trained, train), replace(CHAR_RNN, steps=steps)),
            n_gram(stream_of(trained, unseen)),
            frozenset(known),
            {code: np.array(after) for code, after in follow.items()},
            np.array(first),
        )

    def nats(self, paths: Int[np.ndarray, "B L"], losses: Losses) -> Float[np.ndarray, "B L"]:
        """What each window of some walks costs a model, a row, after the windows before it."""
        rows = self.rows[paths].reshape(len(paths), -1)  # [B, L T]
        found = losses(np.hstack([np.full((len(paths), 1), VOCABULARY), rows]))
        return found.reshape(*paths.shape, -1).mean(-1)

    def copies(self, paths: Int[np.ndarray, "B L"]) -> Bool[np.ndarray, "B L"]:
        """Whether the notes up to each window's end are a run of some training tune's intervals."""
        out = np.zeros(paths.shape, bool)
        for b, path in enumerate(paths):
            rows = self.rows[path]
            for at in range(1, len(path)):
                notes = rows[max(at - 4, 0) : at + 1]
                pitches = notes[notes < NEXT][-COPY - 1 :].astype(np.int16)
                out[b, at] = len(pitches) > COPY and np.diff(pitches).tobytes() in self.known
        return out

    def leaps(self, paths: Int[np.ndarray, "B L"]) -> Float[np.ndarray, "B L"]:
        """Semitones from the last note of one window to the first of the next; 0 for the first."""
        rows = self.rows[paths]
        last = np.take_along_axis(rows, last_note(rows)[..., None], -1)[..., 0]
        out = np.zeros(paths.shape)
        out[:, 1:] = np.abs(rows[:, 1:, 0] - last[:, :-1])
        return out

    def repeats(self, paths: Int[np.ndarray, "B L"]) -> Bool[np.ndarray, "B L"]:
        """Whether a window was played earlier in its walk, note for note."""
        out = np.zeros(paths.shape, bool)
        for b, path in enumerate(paths):
            _, first, which = np.unique(self.rows[path], True, True, axis=0)
            out[b] = first[which.ravel()] < np.arange(len(path))
        return out

    def reward(
        self, paths: Int[np.ndarray, "B L"], repeat_penalty: float = 0.0
    ) -> Float[np.ndarray, "B L"]:
        """Likely, smooth, not copied: minus nats a row, a tenth of a leap's octaves, 1 a copy.

        And minus so much for a window that was played before.
        """
        fined = 1.0 * self.copies(paths) + repeat_penalty * self.repeats(paths)
        return -self.nats(paths, self.likely) - 0.1 * self.leaps(paths) / 12 - fined


def last_note(rows: Int[np.ndarray, "*B T"]) -> Int[np.ndarray, "*B"]:
    """The place of each window's last note."""
    place: np.ndarray = rows.shape[-1] - 1 - np.argmax(rows[..., ::-1] < NEXT, axis=-1)
    return place


def long_enough(trained: Trained, songs: Iterable[Song]) -> list[Song]:
    """Those with a window at least."""
    shape, codec = trained.recipe.network, trained.recipe.codec
    return [s for s in songs if len(song_windows(s, codec, shape.onsets, shape.window))]


def stream_of(trained: Trained, songs: Iterable[Song]) -> Int[np.ndarray, " t"]:
    """The songs' windows as one stream of symbols, the start symbol around each song."""
    shape, codec = trained.recipe.network, trained.recipe.codec
    parts = [symbols(song_windows(s, codec, shape.onsets, shape.window)).ravel() for s in songs]
    bos = np.array([VOCABULARY])
    return np.concatenate([bos, *(np.append(p, bos) for p in parts)])


def n_gram(stream: Int[np.ndarray, " t"]) -> Losses:
    """The losses of an n-gram model, counted on a stream."""
    table = NGramTable(VOCABULARY, ORDER).fit(stream)

    def losses(streams: np.ndarray) -> np.ndarray:
        each = np.append(np.nan, table.losses(streams.ravel()))
        return each.reshape(streams.shape)[:, 1:]

    return losses


def char_rnn(stream: Int[np.ndarray, " t"], recipe: CharRNNRecipe) -> Losses:
    """The losses of chapter 2's Char-RNN, trained on a stream."""
    torch.manual_seed(recipe.seed)
    learner, network = CharRNN(recipe), CharLSTM(VOCABULARY, recipe.network)
    nets, data = Nets({"network": network}), Data({"train": {"symbols": stream}}, {})
    opts = learner.optimizers(nets)
    for step in range(recipe.steps):
        learner.train_step(nets, opts, data, step)
    network.eval()

    @torch.inference_mode()
    def losses(streams: np.ndarray) -> np.ndarray:
        tokens = torch.from_numpy(streams)
        logits, _ = network(tokens[:, :-1])  # [B, n, V + 1]
        found: np.ndarray = cross_entropy(logits.mT, tokens[:, 1:], reduction="none").numpy()
        return found

    return losses


def paths_of(
    walker: Walker, start: Int[np.ndarray, " B"], length: int, rng: np.random.Generator
) -> Int[np.ndarray, "B L"]:
    """Walks of so many windows from each start."""
    path = [start]
    for _ in range(length - 1):
        path.append(walker(path[-1], rng))
    return np.stack(path, 1)


def random_walker(digits: int, flips: int = NEAR) -> Walker:
    """Flips so many switches each time."""

    def step(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        where = rng.permuted(np.tile(np.arange(digits), (len(codes), 1)), axis=1)[:, :flips]
        return codes ^ (1 << where).sum(1)

    return step


def bigram_walker(space: CodeSpace) -> Walker:
    """Goes where a training tune went from here; from elsewhere, to any code of training tunes."""
    anywhere = np.concatenate(list(space.steps.values()))

    def step(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.array([rng.choice(space.steps.get(int(c), anywhere)) for c in codes])

    return step


def greedy_walker(space: CodeSpace, digits: int) -> Walker:
    """Goes to that code within two flips whose window is likeliest after this one."""
    pairs = [1 << i for i in range(digits)]
    near = np.array([*pairs, *(a ^ b for a, b in combinations(pairs, 2))])
    best: dict[int, int] = {}

    def step(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for code in set(codes.tolist()) - best.keys():
            there = code ^ near
            both = np.stack([np.full(len(near), code), there], 1)
            best[code] = int(there[space.nats(both, space.likely)[:, 1].argmin()])
        return np.array([best[code] for code in codes.tolist()])

    return step


class Policy(nn.Module):
    """From a code, the probability with which each switch flips; two of them at first."""

    def __init__(self, digits: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(digits, hidden), nn.Tanh(), nn.Linear(hidden, digits))
        last: Any = self.layers[-1]
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, float(np.log(NEAR / (digits - NEAR))))

    def forward(self, codes: Float[Tensor, "B m"]) -> torch.distributions.Bernoulli:
        """Codes of -1 and 1."""
        return torch.distributions.Bernoulli(logits=self.layers(codes))


def learned_walker(policy: Policy, digits: int) -> Walker:
    """Flips what the policy draws."""
    powers = 1 << np.arange(digits)[::-1]

    def step(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        bits = torch.from_numpy(((codes[:, None] & powers) > 0) * 2.0 - 1.0).float()
        with torch.no_grad():
            p = policy(bits).probs.numpy()
        flips = rng.random(p.shape) < p
        return codes ^ (flips * powers).sum(1)

    return step


def learn_to_walk(
    space: CodeSpace,
    net: SeqAE,
    seed: int,
    *,
    repeat_penalty: float = 0.0,
    updates: int = UPDATES,
    batch: int = 48,
    length: int = 12,
    lr: float = 3e-3,
) -> tuple[Policy, list[float]]:
    """REINFORCE (Williams, 1992): make flips likelier that were followed by more reward than usual.

    The reward of a step is the mean of what comes within four windows; the batch's mean at each
    place is the baseline.

    Returns:
        The policy, and the mean reward of each update.
    """
    digits, rng = net.config.digits, np.random.default_rng([seed, 1])
    torch.manual_seed(seed)
    policy = Policy(digits)
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    powers, curve = 1 << np.arange(digits)[::-1], []
    for _ in range(updates):
        start = rng.choice(space.starts, batch)
        paths = paths_of(learned_walker(policy, digits), start, length, rng)
        reward = space.reward(paths, repeat_penalty)[:, 1:]  # [B, L - 1]
        ahead = np.stack([reward[:, i : i + 4].mean(1) for i in range(length - 1)], 1)
        advantage = torch.from_numpy(ahead - ahead.mean(0)).float()
        bits = torch.from_numpy(((paths[..., None] & powers) > 0) * 2.0 - 1.0).float()
        flipped = (bits[:, 1:] != bits[:, :-1]).float()
        drawn = policy(bits[:, :-1]).log_prob(flipped).sum(-1)  # [B, L - 1]
        loss = -(advantage / (advantage.std() + 1e-6) * drawn).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(float(reward.mean()))
    return policy, curve


def walk_metrics(
    space: CodeSpace, walker: Walker, seed: int, *, count: int = 20, length: int = 100
) -> dict[str, float]:
    """A way to walk in numbers: nats a row under both models, leaps, copies, repetitions."""
    rng = np.random.default_rng([seed, 2])
    paths = paths_of(walker, rng.choice(space.starts, count), length, rng)
    flips = np.array([[bin(a ^ b).count("1") for a, b in pairwise(p)] for p in paths.tolist()])
    return {
        "held_out_nats": float(space.nats(paths, space.held_out)[:, 1:].mean()),
        "char_rnn_nats": float(space.nats(paths, space.likely)[:, 1:].mean()),
        "reward": float(space.reward(paths)[:, 1:].mean()),
        "leap": float(space.leaps(paths)[:, 1:].mean()),
        "copied": float(space.copies(paths)[:, 4:].mean()),
        "flips": float(flips.mean()),
        "repeated": float(space.repeats(paths)[:, 1:].mean()),
    }


def compare_walks(
    trained: Trained,
    train: Sequence[Song],
    unseen: Sequence[Song],
    starts: Sequence[Song],
    seeds: Sequence[int],
    updates: int = UPDATES,
    steps: int = CHAR_RNN.steps,
) -> list[dict[str, Any]]:
    """Every way to walk over several seeds, the learned ones trained anew with each.

    One of these is also fined for windows that it played before.

    A last row says what ``starts`` themselves cost both models: real tunes, unseen by them, too.

    Args:
        trained: a sequential autoencoder with binary codes.
        train: what rewards are counted on.
        unseen: what the n-gram model is counted on.
        starts: where walks begin: the first windows of these.
        seeds: of training and walking.
        updates: of each policy.
        steps: of the Char-RNN.
    """
    space, net = CodeSpace.of(trained, train, unseen, starts, steps), trained.nets["autoencoder"]
    digits = net.config.digits
    rows = []
    for seed in seeds:
        walkers = {
            "random": random_walker(digits),
            "bigram": bigram_walker(space),
            "greedy": greedy_walker(space, digits),
        }
        curves = {}
        for name, fine in LEARNED.items():
            policy, curve = learn_to_walk(space, net, seed, repeat_penalty=fine, updates=updates)
            walkers[name] = learned_walker(policy, digits)
            curves[name] = {"curve": [round(v, 3) for v in curve[:: max(updates // 30, 1)]]}
        for name, walker in walkers.items():
            found = walk_metrics(space, walker, seed)
            row = {"walk": name, "seed": seed} | {k: round(v, 4) for k, v in found.items()}
            rows.append(row | curves.get(name, {}))
    stream = stream_of(trained, starts)
    models = {"held_out_nats": space.held_out, "char_rnn_nats": space.likely}
    real = {k: losses(stream[None])[0, stream[1:] != VOCABULARY] for k, losses in models.items()}
    means = {k: round(float(losses.mean()), 4) for k, losses in real.items()}
    rows.append({"walk": REAL, "seed": seeds[0]} | means)
    return rows
