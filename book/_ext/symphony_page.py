"""What the book's pages need beyond Jupyter Book: mathematics, badges, labels, a first player.

Sphinx loads it by the name in ``_config.yml``. One setting, ``symphony_repository``
(``OWNER/NAME``), says where the book's repository is; every link to it is made from that.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError, ExtensionError
from sphinx.util.docutils import SphinxDirective

BRANCH = "main"
COLAB = "https://colab.research.google.com/github"


def _mathml(node: nodes.Element, display: str) -> str:
    from latex2mathml.converter import convert

    try:
        return convert(node.astext(), display=display)
    except Exception as error:  # the converter's errors name no formula
        raise ExtensionError(f"No MathML for the formula {node.astext()!r}: {error!r}") from error


def visit_inline(self: Any, node: nodes.Element) -> None:
    """Inline mathematics as MathML, which browsers draw without a script."""
    self.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.Element) -> None:
    """A displayed formula as MathML, with its number where it has a label."""
    ids = "".join(f' id="{name}"' for name in node.get("ids", [])[:1])
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    self.body.append(f'<div class="math"{ids}>{_mathml(node, "block")}{number}</div>')
    raise nodes.SkipNode


class PlayerDirective(SphinxDirective):
    """``{player} MODEL`` with ``:seed:``, ``:seconds:``, ``:title:``: composed at build time."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012 - docutils wants a plain dict
        "seed": int,
        "seconds": float,
        "title": str,
    }

    def run(self) -> list[nodes.Node]:
        """Compose with a shipped model, measure its originality, and show both."""
        from symphony import load, load_corpus
        from symphony.evaluation import Originality
        from symphony.rendering import player

        trained = load(self.arguments[0])
        seed, seconds = self.options.get("seed", 0), self.options.get("seconds", 20.0)
        (song,) = trained.compose(seconds, seed=seed)
        judge = Originality.of_corpus(load_corpus(trained.recipe.corpus, progress=False))
        title = self.options.get("title", song.name)
        shown = player(song, title=title, originality=judge.report(song))
        return [nodes.raw("", shown.html, format="html")]


def check_repository(app: Sphinx, config: Config) -> None:
    """Give the theme its repository; refuse a book whose links would lead nowhere."""
    repository = config.symphony_repository
    if repository.count("/") != 1 or repository.startswith("http"):
        raise ConfigError(
            f"symphony_repository in _config.yml is OWNER/NAME of the book's repository, "
            f"for example deep-symphony/deep-symphony, and not {repository!r}."
        )
    config.html_theme_options.update(
        repository_url=f"https://github.com/{repository}",
        repository_branch=BRANCH,
        use_repository_button=True,
    )


def add_badge(app: Sphinx, doctree: nodes.document) -> None:
    """Below a chapter's title, a link that opens it on Colab."""
    name = app.env.docname
    title = next(iter(doctree.findall(nodes.title)), None)
    if not name.startswith("notebooks/") or title is None or title.parent is None:
        return
    address = html.escape(f"{COLAB}/{app.config.symphony_repository}/blob/{BRANCH}/{name}.ipynb")
    badge = f'<p><a class="colab-badge" href="{address}">Open this chapter on Colab</a></p>'
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", badge, format="html"))


# What a folded cell is called, by what its source calls; the first that fits.
FOLDED = (
    (r"\bquiz\(", "The code of the quiz, answers included"),
    (r"\bdiagram\(", "The code of the diagram"),
    (r"\bfigure\(", "The code of the figure"),
    (r"\b(claims|table)\(", "The code of the table"),
    (r"(?m)^(import|from) ", "Imports"),
    ("", "The code"),
)


def name_folded_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Call each folded cell by what it holds, in place of "Show code cell content"."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code" or not cell.get("hide_mode"):
            continue
        if "tag_solution" in cell["classes"]:
            name = "Solution"
        else:
            source = next((code.astext() for code in cell.findall(nodes.literal_block)), "")
            name = next(name for pattern, name in FOLDED if re.search(pattern, source))
        cell["prompt_show"] = cell["prompt_hide"] = name


def visit_folded(self: Any, node: nodes.Element) -> None:
    """A folded cell, whose label is read aloud as it is written."""
    name, classes = html.escape(node["prompt_show"]), " ".join(node["classes"])
    self.body.append(f'<details class="admonition hide {classes}">\n<summary>')
    self.body.append(f'<p class="admonition-title">{name}</p></summary>\n')


def depart_folded(self: Any, node: nodes.Element) -> None:
    """Its end."""
    self.body.append("</details>\n")


def take_over_folded_cells(app: Sphinx) -> None:
    """Draw folded cells here: MyST-NB's own label hides their text from screen readers."""
    from myst_nb.sphinx_ import HideCodeCellNode

    app.add_node(HideCodeCellNode, override=True, html=(visit_folded, depart_folded))


def keep_own_files(app: Sphinx, page: str, template: str, context: dict, tree: Any) -> None:
    """Drop scripts and styles of other hosts, and Thebe's, which this book doesn't use."""

    def own(file: Any) -> bool:
        name = str(getattr(file, "filename", file) or "")
        body = str(getattr(file, "attributes", {}).get("body", ""))
        return (
            not name.startswith(("http:", "https:", "//")) and "thebe" not in (name + body).lower()
        )

    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if own(file)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("symphony_repository", "", "env")
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.add_directive("player", PlayerDirective)
    app.connect("config-inited", check_repository)
    app.connect("doctree-read", add_badge)
    app.connect("doctree-read", name_folded_cells)
    app.connect("builder-inited", take_over_folded_cells)
    app.connect("html-page-context", keep_own_files, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
