"""Words that explain themselves: glossary terms on hover and focus, and chapters that are links.

In each page the first use of a term becomes a link into the glossary; its definition opens when
the pointer or the keyboard rests on it, stays while the pointer is on it, and closes with Escape.
Everyday words that are also terms are left alone unless the page prints them in bold, which is
how it says *here I explain one*. Every "chapter 4" becomes a link to that chapter, if there is one.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from symphony_page import _mathml

GLOSSARY = "book/glossary"
CLOSED = (
    nodes.title, nodes.literal, nodes.literal_block, nodes.reference, nodes.math,
    nodes.math_block, nodes.raw,
    nodes.term, nodes.caption, nodes.citation,
)  # fmt: skip
# Terms that are everyday words, too: only bold ones are taken for the term.
EVERYDAY = {
    "artifact", "bar", "batch", "baseline", "beat", "bit", "card", "condition", "evaluation",
    "event", "experiment", "fake", "form", "interval", "key", "label", "layer", "loss", "measure",
    "note", "phrase", "plan", "precision", "prompt", "recall", "recipe", "reference", "run",
    "sampling", "samples", "scale", "smoothing", "system", "target", "voice", "window", "anchor",
    "chord", "corpus", "duration", "gradient", "pitch", "octave", "seed", "tempo", "training run",
    "velocity", "replay", "encoder", "decoder", "nat", "snapshot", "percentile", "generator",
}  # fmt: skip


def definitions(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Each term in lower case: the anchor of its entry, and its definition as HTML."""
    if not hasattr(app, "symphony_terms"):
        found: dict[str, tuple[str, str]] = {}
        if GLOSSARY in app.env.all_docs:
            for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
                terms = [child for child in item.children if isinstance(child, nodes.term)]
                said = re.sub(r"\s+([.,;:])", r"\1", _inner(item.children[-1])).strip()
                for term in terms:
                    if term["ids"]:
                        found[term.astext().lower()] = (term["ids"][0], said)
        app.symphony_terms = found  # type: ignore[attr-defined]
    return app.symphony_terms  # type: ignore[attr-defined,no-any-return]


def _inner(node: nodes.Node) -> str:
    """Text and mathematics of a definition, without its citations."""
    if isinstance(node, nodes.Text):
        return html.escape(str(node).replace("\n", " "))
    if isinstance(node, nodes.math):
        return _mathml(node, "inline")
    if node.tagname in ("pending_xref", "index"):
        return ""
    return "".join(_inner(child) for child in node.children)


def _within(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    """Whether a node stands somewhere inside one of these kinds."""
    while (node := node.parent) is not None:
        if isinstance(node, kinds):
            return True
    return False


def add_hints(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Replace the first use of each term, and every name of a chapter."""
    if app.builder.format != "html":
        return
    terms = definitions(app) if page != GLOSSARY else {}
    chapters = {
        int(match[1]): name
        for name in app.env.all_docs
        if (match := re.match(r"notebooks/(\d+)_", name)) and name != page
    }
    used: set[str] = set()
    for text in list(doctree.findall(nodes.Text)):
        if not text.strip() or _within(text, CLOSED):
            continue
        bold = isinstance(text.parent, nodes.strong) and len(text.split()) <= 5  # not a sentence
        pieces = _linked(app, page, str(text), chapters)
        if terms and not _within(text, (nodes.table,)):  # which clips what opens in it
            pieces = [
                new
                for piece in pieces
                for new in (
                    _explained(app, page, piece, terms, used, bold)
                    if isinstance(piece, nodes.Text)
                    else [piece]
                )
            ]
        if len(pieces) > 1 or not isinstance(pieces[0], nodes.Text):
            text.parent.replace(text, pieces)


def _linked(app: Sphinx, page: str, text: str, chapters: dict[int, str]) -> list[nodes.Node]:
    out: list[nodes.Node] = []
    done = 0
    for match in re.finditer(r"\b[Cc]hapter\s(\d+)\b", text):
        if (name := chapters.get(int(match[1]))) is None:
            continue
        uri = app.builder.get_relative_uri(page, name)
        out.append(nodes.Text(text[done : match.start()]))
        out.append(nodes.reference("", match[0], internal=True, refuri=uri))
        done = match.end()
    return [piece for piece in [*out, nodes.Text(text[done:])] if piece.astext()]


def _explained(
    app: Sphinx,
    page: str,
    text: str,
    terms: dict[str, tuple[str, str]],
    used: set[str],
    bold: bool,
) -> list[nodes.Node]:
    """The text with its terms explained, the longest term first where several fit."""
    longest = sorted(terms, key=len, reverse=True)
    pattern = "|".join(re.escape(term).replace(r"\ ", r"\s") for term in longest)
    out: list[nodes.Node] = []
    done = 0
    for match in re.finditer(rf"(?<![\w-])({pattern})(s?)(?![\w-])", text, re.IGNORECASE):
        term = re.sub(r"\s", " ", match[1].lower())
        anchor, said = terms[term]
        if anchor in used or (term in EVERYDAY and not bold):
            continue
        used.add(anchor)
        uri = f"{app.builder.get_relative_uri(page, GLOSSARY)}#{anchor}"
        name = f"hint-{anchor}"
        out.append(nodes.Text(text[done : match.start()]))
        hint = (
            f'<span class="hint"><a class="hint-term" href="{html.escape(uri)}" '
            f'aria-describedby="{name}">{html.escape(match[0])}</a>'
            f'<span class="hint-said" role="tooltip" id="{name}">{said}</span></span>'
        )
        out.append(nodes.raw("", hint, format="html"))
        done = match.end()
    return [piece for piece in [*out, nodes.Text(text[done:])] if piece.astext()]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-resolved", add_hints)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
