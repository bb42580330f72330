"""What the first cell of a chapter needs: source listings, tables, curves, claims, quizzes.

Everything here displays something; nothing here knows how a model works.
"""

from __future__ import annotations

import html
import inspect
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from IPython.display import HTML, Code, Markdown
    from matplotlib.axes import Axes

    from symphony.rendering.diagram import Arrow, Node
    from symphony.training.card import Card

DARK, LIGHT, ACCENT = "#1f3a5f", "#9db4c8", "#c4512d"


def begin() -> None:
    """Settings every chapter shares: legible figures, one thread for sampling, no noise."""
    import matplotlib.pyplot as plt

    warnings.filterwarnings("ignore", message=".*IProgress not found.*")
    plt.rcParams.update(
        {
            "figure.figsize": (8, 3),
            "figure.dpi": 80,
            "savefig.dpi": 80,
            "figure.facecolor": "white",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=[DARK, ACCENT, "#5b8c5a", "#8a6fae", "#b8912f"]),
            "font.size": 10,
        }
    )


def show(thing: Any) -> Code:
    """The source of a function or class, as the library holds it."""
    from IPython.display import Code

    return Code(textwrap.dedent(inspect.getsource(thing)), language="python")


def table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> Markdown:
    """Rows of the same keys as a table; floats to three significant figures.

    Raises:
        ValueError: rows that don't share their keys.
    """
    from IPython.display import Markdown

    if len({tuple(row) for row in rows}) != 1:
        raise ValueError("A table needs at least one row, and the same columns in each.")
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_cell(row[head]) for head in heads) + " |" for row in rows]
    return Markdown("\n".join(([f"*{caption}*", ""] if caption else []) + lines))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "–" if value != value else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def figure(caption: str, alt: str) -> HTML:
    """The current matplotlib figure with a caption, and words for those who can't see it."""
    import base64
    import io

    import matplotlib.pyplot as plt
    from IPython.display import HTML

    drawn, picture = plt.gcf(), io.BytesIO()
    drawn.savefig(picture, format="png", bbox_inches="tight")
    plt.close(drawn)
    data = base64.b64encode(picture.getvalue()).decode()
    return HTML(
        f'<figure class="symphony-figure"><img alt="{html.escape(alt)}" '
        f'src="data:image/png;base64,{data}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def diagram(nodes: Mapping[str, Node], arrows: Sequence[Arrow], caption: str, label: str) -> HTML:
    """A diagram in the page's colors, legible on a telephone, with a caption and words for it."""
    from IPython.display import HTML

    from symphony.rendering import diagram as drawn

    return HTML(
        f'<figure class="symphony-figure">{drawn(nodes, arrows, label)}'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def finding(sentence: str, *, holds: bool = True, shipped: bool = True) -> Markdown:
    """One sentence that says what came out, and is held to it.

    Args:
        sentence: what the run that comes with this book shows.
        holds: the condition under which it is true, as the run at hand has it; left out where the
            run itself chooses the words, so that there is nothing to guard.
        shipped: False under a reader's own parameters, where the sentence is marked, not failed.

    Raises:
        AssertionError: the shipped run says otherwise, so the prose would be wrong.
    """
    from IPython.display import Markdown

    if shipped and not holds:
        raise AssertionError(f"No longer so: {sentence}")
    return Markdown(f"**{sentence}**" if holds else f"**Not so in this run:** {sentence}")


Verdict = bool | Literal["undecided"] | None


def claims(
    rows: Sequence[tuple[str, str, Verdict] | tuple[str, str, str, Verdict]],
    head: str = "the original's claim",
) -> Markdown:
    """The claim table that closes a chapter: the claim, what we measured, whether it holds.

    A row may name seeds and budget between the measurement and the verdict; then all do. The
    verdict is the boolean that the chapter computed; "undecided" where the run was too short
    or the measure too weak to tell; None where nothing can be compared. Our own claims stand
    in a table of their own: ``head="our claim"``.
    """
    words: dict[Verdict, str] = {True: "holds", False: "does not hold", None: "not comparable"}
    words["undecided"] = "undecided"
    return table(
        [
            {head: claim, "what we measured": found}
            | ({"seeds, budget": str(budget[0])} if budget else {})
            | {"verdict": words[verdict]}
            for claim, found, *budget, verdict in rows
        ]
    )


def learning_curve(card: Card, ax: Axes | None = None) -> Axes:
    """Training and held-out loss of a card in nats a symbol, against the training step."""
    import matplotlib.pyplot as plt

    ax = ax or plt.subplots()[1]
    curve = card.curve
    steps = [point["step"] for point in curve]
    ax.plot(steps, [point["train"] for point in curve], color=LIGHT, label="training")
    ax.plot(steps, [point["validation"] for point in curve], color=DARK, label="held out")
    best = min(curve, key=lambda point: point["validation"])
    ax.plot(best["step"], best["validation"], "o", color=ACCENT, label="best held out")
    ax.set(xlabel="step", ylabel="nats a symbol", title=card.recipe["name"])
    ax.legend(frameon=False)
    return ax


def quiz(question: str, answers: Sequence[tuple[str, bool, str]]) -> HTML:
    """One question; each answer unfolds into why it is right or wrong.

    Args:
        question: one sentence.
        answers: (answer, whether it is right, why) each; exactly one is right.

    Raises:
        ValueError: not exactly one right answer.
    """
    from IPython.display import HTML

    if sum(right for _, right, _ in answers) != 1:
        raise ValueError("A quiz question needs exactly one right answer.")
    items = "".join(
        f'<details style="margin:.3em 0"><summary>{html.escape(answer)}</summary>'
        f'<p style="margin:.2em 1.2em"><b>{"Yes." if right else "No."}</b> {html.escape(why)}</p>'
        "</details>"
        for answer, right, why in answers
    )
    return HTML(f"<p><b>{html.escape(question)}</b></p>{items}")
