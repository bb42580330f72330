"""Weights and their card: saving them, and getting a model back that can compose."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from symphony.errors import SymphonyError
from symphony.models.char_rnn import CharRNN, CharRNNConfig
from symphony.models.conditional_rnn import (
    ConditionalCharRNN,
    ConditionalCharRNNConfig,
    Conditioned,
)
from symphony.models.sampling import Steps, generate
from symphony.training.encoded import EncodedCorpus, condition_codec
from symphony.training.folder import STATE
from symphony.training.gan_checkpoint import gan_of_card, load_gan, load_gan_weights
from symphony.training.machine import processor, versions
from symphony.training.measure import held_out_loss
from symphony.training.recipes import Recipe

if TYPE_CHECKING:
    from symphony.codecs import EventCodec, Plan
    from symphony.song import Song

SHIPPED = Path(__file__).parents[1] / "weights"
CHECKED_SYMBOLS = 16_384  # of the test split: enough to tell models apart, seconds to measure
BITS = float(np.log(2))  # nats in a bit


KINDS: dict[str, tuple[Any, Any]] = {
    "char-rnn": (CharRNN, CharRNNConfig),
    "conditional-char-rnn": (ConditionalCharRNN, ConditionalCharRNNConfig),
}


class CheckpointError(SymphonyError):
    """Weights or a card that can't be used."""


def build_model(recipe: Recipe, vocabulary: int) -> CharRNN:
    """The untrained model of a recipe; ``recipe.model`` names its kind where it isn't a Char-RNN.

    Raises:
        CheckpointError: a kind, or an argument of it, that doesn't exist.
    """
    arguments = dict(recipe.model)
    kind = arguments.pop("kind", "char-rnn")
    arguments.pop("condition", None)  # the codec's business, not the network's
    if kind not in KINDS:
        raise CheckpointError(f"There is no model of the kind {kind!r}; known: {', '.join(KINDS)}.")
    model, config = KINDS[kind]
    try:
        return model(config(vocabulary, **arguments))
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: too large for memory
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"A {kind} can't be built from {arguments}: {reason}") from None


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights in half precision, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    half = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in model.state_dict().items()
    }
    save_file(half, partial)
    partial.replace(path)


def save_card(recipe: Recipe, encoded: EncodedCorpus, out: Path, run: dict, fabric: Any) -> dict:
    """Measure the kept weights on held-out music and write ``card.json`` beside them."""
    model = _load_weights(recipe, encoded.vocabulary, out / "weights.safetensors")
    model.to(fabric.device)
    notes = {p: int((getattr(encoded, p) < 128).sum()) for p in ("validation", "test")}
    metrics: dict[str, float] = {}
    asked = condition_codec(recipe)
    for part, count in notes.items():
        stream = getattr(encoded, part)
        nats = held_out_loss(model, stream, asked=asked)
        metrics[f"{part}_nats"] = nats
        metrics[f"{part}_bits_per_event"] = nats / BITS
        metrics[f"{part}_bits_per_note"] = nats / BITS * (len(stream) - 1) / max(count, 1)
    model.to("cpu")
    metrics["checked_nats"] = held_out_loss(model, encoded.test, CHECKED_SYMBOLS, asked)
    if not np.isfinite(list(metrics.values())).all():
        raise CheckpointError(
            "The trained weights don't fit into half precision: try a smaller learning rate than "
            f"{recipe.learning_rate}."
        )
    gpu = torch.cuda.get_device_name() if fabric.device.type == "cuda" else ""
    card = {
        "recipe": asdict(recipe),
        "recipe_hash": recipe.hash,
        "corpus": encoded.corpus,
        "vocabulary": encoded.vocabulary,
        "weights_sha256": hashlib.sha256((out / "weights.safetensors").read_bytes()).hexdigest(),
        "versions": versions(),
        "hardware": gpu or processor(),
        "processes": fabric.world_size,
        "minutes": round(run["seconds"] / 60, 2),
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_symbols": recipe.steps * recipe.batch * recipe.window,
        "curve": run["curve"],
        "metrics": metrics,
    }
    write_card(out, card)
    return card


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write ``card.json``, whole or not at all."""
    partial = folder / ".card.json.partial"
    partial.write_text(json.dumps(card, indent=1) + "\n")
    partial.replace(folder / "card.json")


@dataclass(frozen=True)
class Trained:
    """A trained model or a chain, the codec of its symbols, and its card; a chain has none."""

    model: Steps
    codec: EventCodec
    card: dict[str, Any]
    recipe: Recipe

    def compose(
        self,
        seconds: float,
        *,
        seed: int = 0,
        batch: int = 1,
        temperature: float = 1.0,
        top_p: float = 1.0,
        greedy: bool = False,
        plan: Plan | Sequence[Plan] | None = None,
    ) -> list[Song]:
        """Pieces of ``seconds`` each; the same seed gives the same pieces on one machine.

        Args:
            seconds: how long each piece is.
            seed: decides what is drawn.
            batch: how many pieces.
            temperature, top_p, greedy: see :func:`symphony.models.sampling.generate`.
            plan: what a conditional model is asked for, over ``seconds``: one plan for all
                pieces, or one for each; None to leave it free.

        Raises:
            CheckpointError: no positive length, a plan for a model that can't be told anything,
                or a model that moves time on too slowly.
        """
        if not 0 < seconds <= 3600:
            raise CheckpointError(
                f"A piece lasts more than 0 s and at most an hour: not {seconds} s."
            )
        from symphony.codecs import Grammar

        settings: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "greedy": greedy}
        model: Steps = self.model
        if plan is not None:
            model = self._following(
                [plan] * batch if callable(plan) else list(plan), batch, seconds
            )
        rules = Grammar(self.codec, batch, seconds)
        most = int(400 * seconds) + 4096  # events; the busiest real music has 150 a second
        tokens = generate(model, most, batch=batch, seed=seed, rules=rules, **settings)
        lasted = rules.elapsed.min()
        if lasted < seconds:
            raise CheckpointError(
                f"{self.recipe.name} hardly moves on: {most} events last {lasted:.1f} s. "
                "Try a higher temperature, or train it longer."
            )
        songs, clock = [], self.codec.symbol_seconds()
        for i, row in enumerate(tokens):
            name = f"{self.recipe.name}, {'greedy' if greedy else f'seed {seed}'}"
            ends = np.searchsorted(np.cumsum(clock[row]), seconds)  # the same in any batch
            row = row[: ends + 1]
            song = self.codec.decode(row, name=name + (f" ({i + 1})" if batch > 1 else ""))
            songs.append(song.slice(0.0, seconds).named(song.name, source=self.recipe.name))
        return songs

    def _following(self, plans: list[Plan], batch: int, seconds: float) -> Conditioned:
        """The model, told what each piece's plan wants at each twentieth of a second."""
        if not isinstance(self.model, ConditionalCharRNN):
            raise CheckpointError(
                f"{self.recipe.name} can't be told what to play: a conditional-char-rnn can."
            )
        if len(plans) != batch:
            raise CheckpointError(f"{batch} pieces need one plan or {batch}, not {len(plans)}.")
        times = np.arange(0.0, seconds + 0.05, 0.05)
        table = np.stack([replace(plan, seconds=seconds)(times) for plan in plans])
        every = np.arange(batch)

        def rows(elapsed: np.ndarray) -> np.ndarray:
            return table[every, np.minimum((elapsed * 20).astype(int), len(times) - 1)]

        return Conditioned(self.model, rows, self.codec.symbol_seconds())


def shipped() -> tuple[str, ...]:
    """Names of the models that come with the library."""
    return tuple(sorted(p.parent.name for p in SHIPPED.glob("*/card.json")))


def load_model(name_or_folder: str | Path) -> Any:
    """A shipped model by name, or the model in a run's folder: a Trained, or a TrainedGan.

    Raises:
        CheckpointError: no such model, a broken file, or weights that aren't the card's.
    """
    from symphony.codecs import codec_from_dict

    folder = Path(name_or_folder)
    if str(name_or_folder) in shipped():
        folder = SHIPPED / str(name_or_folder)
    try:
        folder = folder.expanduser()
        card = json.loads((folder / "card.json").read_text())
        gan = gan_of_card(card)
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in card["recipe"].items()
        }
        sha256 = card["weights_sha256"]
        if gan is None:
            recipe, vocabulary = Recipe(**given), int(card["vocabulary"])
    except (OSError, RuntimeError):  # RuntimeError: the home of someone who isn't here
        if (folder / STATE).is_file():
            raise CheckpointError(
                f"The run in {folder} isn't finished: go on with --resume --out {folder}."
            ) from None
        near = difflib.get_close_matches(str(name_or_folder), shipped(), n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CheckpointError(
            f"There is no model {str(name_or_folder)!r}: neither shipped nor the folder of a "
            f"finished run.{hint} Shipped: {', '.join(shipped()) or 'none'}."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The card in {folder} is broken: {error!r}.") from None
    weights = folder / "weights.safetensors"
    if not weights.is_file() or hashlib.sha256(weights.read_bytes()).hexdigest() != sha256:
        raise CheckpointError(
            f"The weights in {folder} are not those its card describes: they are missing, "
            "cut short or changed."
        )
    if gan is not None:
        return load_gan(gan, card, weights)
    model = _load_weights(recipe, vocabulary, weights)
    return Trained(model, codec_from_dict(recipe.codec), card, recipe)


def _load_weights(recipe: Recipe, vocabulary: int, path: Path) -> CharRNN:
    model = build_model(recipe, vocabulary)
    try:
        model.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except Exception as error:  # safetensors' own error, or RuntimeError for other shapes
        raise CheckpointError(f"The weights {path.name} don't fit: {error}.") from None
    return model.eval()


def load_snapshots(folder: Path) -> dict[int, Any]:
    """The models a run kept on its way, by step."""
    trained = load_model(folder)
    if "vocabulary" not in trained.card:
        return {
            int(path.stem.removeprefix("step-")): load_gan_weights(trained.recipe, path)[0]
            for path in sorted(folder.glob("step-*.safetensors"))
        }
    return {
        int(path.stem.removeprefix("step-")): _load_weights(
            trained.recipe, trained.card["vocabulary"], path
        )
        for path in sorted(folder.glob("step-*.safetensors"))
    }
