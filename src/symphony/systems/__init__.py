"""The systems: one room each. This is the one place that lists them."""

from __future__ import annotations

import difflib
import shlex
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from symphony.errors import FileError, RequestError
from symphony.files import sentence, sha256, workplace
from symphony.typed import from_json

if TYPE_CHECKING:
    from symphony.training.card import Card
    from symphony.training.system import Recipe, Trained

SHIPPED = Path(__file__).parents[1] / "weights"
SIZES = ("tiny", "small", "full")
NGRAMS = ("uniform", "unigram", *(f"ngram-{order}" for order in range(1, 9)), "ngram")
ROOMS = {  # recipe -> room of its system
    **dict.fromkeys(NGRAMS, "ngram"),
    "char-rnn": "char_rnn",
    "char-rnn-overfit": "char_rnn",
    "char-rnn-performances": "char_rnn",
    "char-rnn-reported": "char_rnn",
    "conditional-char-rnn": "conditional_char_rnn",
    "conditional-char-rnn-reported": "conditional_char_rnn",
    "rnn-gan": "rnn_gan",
    "iwgan": "iwgan",
    "dcrnn": "dcrnn",
    "pix2pix": "pix2pix",
    "seq-autoencoder": "seqae",
    "seqae": "seqae",
    "seqae-chorales": "seqae",
    "unet": "pix2pix",
    "seqgan": "seqgan",
    "abc-wgan": "abc_wgan",
    "duration-net": "duration_net",
    "velocity-net": "velocity_net",
}


def names() -> tuple[str, ...]:
    """Every recipe's name."""
    return tuple(ROOMS)


def room(name: str) -> Any:
    """What a room offers: its SYSTEM and its ``recipe(name, size)``."""
    return import_module(f"symphony.systems.{name}.system")


def recipe(name: str, size: str = "small") -> Any:
    """A recipe by name and size.

    Raises:
        RequestError: there is none of this name or size.
    """
    if name not in ROOMS:
        raise RequestError(f"There is no recipe {name!r}.{_nearest(name, names())}")
    if size not in SIZES:
        raise RequestError(f"A recipe comes in the sizes {', '.join(SIZES)}, not {size!r}.")
    return room(ROOMS[name]).recipe(name, size)


def system(recipe: Recipe) -> Any:
    """The system that follows a recipe: a :class:`symphony.training.System`."""
    return room(recipe.room).SYSTEM(recipe)


def train(
    recipe_or_name: Recipe | str,
    out: str | Path,
    *,
    size: str = "small",
    corpus: str | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
) -> Card | None:
    """Load and encode a corpus, train, and leave weights and card in the folder ``out``.

    The encoded music stays there too, so that going on needs no corpus; an earlier run there is
    kept in ``earlier``. Under ``torchrun`` the first process encodes, and all train one model.

    Args:
        recipe_or_name, out: what to do, and where.
        size: tiny, small or full, of a recipe by name.
        corpus, seed: others than the recipe's.
        device: auto, cpu, cuda or mps.
        resume: go on where a stopped run left off, exactly as if it had not stopped.
        progress: show a bar.

    Returns:
        The card; None on every process but the first of several.

    Raises:
        RequestError: what can't be trained so; nothing is written then.
        SongError: a corpus without enough music.
        FileError: nothing to resume, or no place to write.
        KeyboardInterrupt: stopped by Ctrl-C, after the state was saved.
    """
    from symphony.corpora import load_corpus, resolved
    from symphony.training import loop
    from symphony.training.run import Run
    from symphony.training.runtime import launch

    chosen = recipe(recipe_or_name, size) if isinstance(recipe_or_name, str) else recipe_or_name
    seed = chosen.seed if seed is None else seed
    chosen = replace(
        chosen, corpus=resolved(chosen.corpus if corpus is None else corpus), seed=seed
    )
    learner, run = system(chosen), Run(Path(out))
    fabric = launch(device, chosen.batch)
    with workplace(run.folder) if fabric.is_global_zero else nullcontext():
        if not resume and fabric.is_global_zero:
            data = learner.encode(load_corpus(chosen.corpus, progress=progress))
            if run.begin(data) and progress:
                print(f"An earlier run in {run.folder} is kept beside it, in its folder 'earlier'.")
        fabric.barrier()  # the first process may still be writing the file
        card = loop.train(learner, run.data(), run, fabric, resume=resume, progress=progress)
        fabric.barrier()  # whoever returns may read the card
    return card


def shipped() -> tuple[str, ...]:
    """Names of the models that come with the library."""
    return tuple(sorted(p.parent.name for p in SHIPPED.glob("*/card.json")))


def card_of(name_or_folder: str | Path) -> tuple[Card, Path]:
    """The card of a shipped model or of a finished run, and where it lies.

    Raises:
        FileError: there is none, or it is broken.
    """
    from symphony.training.card import CARD, Card
    from symphony.training.run import STATE

    name, here = str(name_or_folder), set()
    try:
        folder = SHIPPED / name if name in shipped() else Path(name).expanduser()
        here = {part for part in (CARD, STATE) if (folder / part).is_file()}
    except (OSError, RuntimeError, ValueError):  # no name of a folder, or nobody's home
        pass
    if CARD in here:
        return Card.load(folder), folder
    if STATE in here:
        raise FileError(
            f"The run in {name} isn't finished: go on with --resume --out {shlex.quote(name)}."
        )
    raise FileError(
        f"There is no model {name!r}: neither shipped nor the folder of a finished run."
        f"{_nearest(name, (*shipped(), *NGRAMS))}"
    )


def system_of(card: Card) -> Any:
    """The system that a card tells of.

    Raises:
        FileError: the card describes none that could be built.
    """
    try:
        if card.system not in ROOMS.values():
            raise ValueError(f"there is no system {card.system!r}")
        kind = room(card.system).SYSTEM
        from_json(kind.controls, card.defaults, "defaults")
        return kind(from_json(get_type_hints(kind)["recipe"], card.recipe, "recipe"))
    except ValueError as error:  # a recipe's own refusals are ValueErrors
        raise FileError(f"The card is broken: {str(error).rstrip('.')}.") from None


def load(name_or_folder: str | Path, corpus: str = "chorales") -> Trained:
    """A shipped model by name, the model in a run's folder, or an n-gram model.

    Args:
        name_or_folder: such as "dcrnn", "runs/mine" or "ngram-4".
        corpus: what an n-gram model is counted on, in seconds; other models know their own.

    Raises:
        FileError: no such model, a broken file, or weights that aren't the card's.
    """
    from symphony.training.run import WEIGHTS

    name = str(name_or_folder)
    fit: Any = getattr(room(ROOMS[name]), "fit", None) if name in ROOMS else None
    if fit is not None:  # quicker to count than to load
        from symphony.corpora import load_corpus

        return fit(replace(recipe(name), corpus=corpus), load_corpus(corpus))
    card, folder = card_of(name)
    weights = folder / WEIGHTS
    with sentence(f"The weights in {folder} can't be read"):
        same = weights.is_file() and sha256(weights) == card.weights_sha256
    if not same:
        raise FileError(
            f"The weights in {folder} are not those its card describes: they are missing, "
            "cut short or changed."
        )
    return _trained(card, weights)


def load_snapshots(folder: str | Path) -> dict[int, Trained]:
    """The models that a run kept on its way, by step."""
    from symphony.training.run import Run

    card, place = card_of(folder)
    return {step: _trained(card, path) for step, path in Run(place).snapshots().items()}


def _trained(card: Card, weights: Path) -> Trained:
    import torch

    from symphony.training.data import Data
    from symphony.training.run import load_weights
    from symphony.training.system import Trained

    made = system_of(card)
    try:
        with torch.device("meta"):  # no memory: a card may ask for more than there is
            nets = made.kept(made.build(Data({}, card.facts)))
    except (TypeError, ValueError, RuntimeError, KeyError) as error:  # nets that can't be built
        reason = str(error).partition("\n")[0].rstrip(".")
        raise FileError(f"{weights.parent} can't be built from its card: {reason}.") from None
    return Trained(made, load_weights(nets, weights), card)


def controls_of(name_or_folder: str) -> Any:
    """A model's controls, at their defaults; its weights aren't loaded.

    Raises:
        FileError: no such model, or a card whose defaults no system knows.
    """
    if name_or_folder in ROOMS and name_or_folder not in shipped():
        return room(ROOMS[name_or_folder]).SYSTEM.controls()
    card, _ = card_of(name_or_folder)
    return system_of(card).controls(**card.defaults)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f" Did you mean {near[0]}?" if near else f" There are: {', '.join(known)}."
