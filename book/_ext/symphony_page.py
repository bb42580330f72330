"""What the book's pages need beyond Jupyter Book: offline mathematics, badges, a first player."""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx


def _mathml(node: nodes.Element, display: str) -> str:
    from latex2mathml.converter import convert

    return convert(node.astext(), display=display)


def visit_inline(self: Any, node: nodes.Element) -> None:
    """Inline mathematics as MathML, which browsers draw without a script."""
    self.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.Element) -> None:
    """A displayed formula as MathML."""
    self.body.append(f'<div class="math">{_mathml(node, "block")}</div>')
    raise nodes.SkipNode


class PlayerDirective(Directive):
    """``{player} MODEL`` with ``:seed:`` and ``:seconds:``: composed while the page is built."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012 - docutils wants a plain dict
        "seed": directives.nonnegative_int,
        "seconds": directives.positive_int,
        "title": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Compose, measure, and show."""
        from symphony.corpora import load_corpus
        from symphony.evaluation import Originality
        from symphony.rendering import player
        from symphony.training import load_model

        trained = load_model(self.arguments[0])
        seed = self.options.get("seed", 0)
        (song,) = trained.compose(self.options.get("seconds", 20), seed=seed)
        judge = Originality.of_corpus(load_corpus(trained.recipe.corpus, progress=False))
        title = self.options.get("title", song.name)
        shown = player(song, title=title, originality=judge.report(song))
        return [nodes.raw("", shown.html, format="html")]


def add_badge(app: Sphinx, doctree: nodes.document) -> None:
    """Below a chapter's title, a link that opens it on Colab."""
    name = app.env.docname
    title = next(iter(doctree.findall(nodes.title)), None)
    if not name.startswith("notebooks/") or title is None or title.parent is None:
        return
    address = (
        f"https://colab.research.google.com/github/{app.config.symphony_repository}"
        f"/blob/main/{name}.ipynb"
    )
    link = f'<a class="colab-badge" href="{html.escape(address)}">Open this chapter on Colab</a>'
    title.parent.insert(
        title.parent.index(title) + 1, nodes.raw("", f"<p>{link}</p>", format="html")
    )


def keep_own_scripts(app: Sphinx, page: str, template: str, context: dict, tree: Any) -> None:
    """Drop scripts of other hosts, and Thebe's, which this book doesn't use."""
    kept = []
    for script in context.get("script_files", []):
        name = str(getattr(script, "filename", script) or "")
        body = str(getattr(script, "attributes", {}).get("body", ""))
        if not name.startswith("http") and "thebe" not in (name + body).lower():
            kept.append(script)
    context["script_files"] = kept
    context["css_files"] = [
        sheet
        for sheet in context.get("css_files", [])
        if not str(getattr(sheet, "filename", sheet)).startswith("http")
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("symphony_repository", "", "html")
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.add_directive("player", PlayerDirective)
    app.connect("doctree-read", add_badge)
    app.connect("html-page-context", keep_own_scripts, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
