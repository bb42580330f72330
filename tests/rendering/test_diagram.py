import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.errors import RequestError
from symphony.rendering import Arrow, Node, diagram
from symphony.rendering.diagram import ROW, WIDTH

SVG = "{http://www.w3.org/2000/svg}"
TWO = {"z": Node("noise [B, 8]", 0.5, 0, framed=False), "net": Node("generator", 0.5, 1)}


def drawn(*arrows, nodes=TWO):
    return ET.fromstring(diagram(nodes, arrows, "Noise goes down into a generator."))


def test_a_node_is_its_words_and_only_what_computes_has_a_frame():
    picture = drawn()
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["noise [B, 8]", "generator"]
    assert len(list(picture.iter(f"{SVG}rect"))) == 1
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == "Noise goes down into a generator."


def test_an_arrow_goes_from_edge_to_edge():
    (way,) = [p for p in drawn(Arrow("z", "net")).iter(f"{SVG}path") if p.get("marker-end")]
    x, y, to_x, to_y = map(float, re.findall(r"[\d.]+", way.get("d")))
    assert x == to_x == WIDTH / 2
    assert 30 < y < to_y < 30 + ROW
    assert way.get("stroke-dasharray") is None


def test_arrows_of_one_row_go_sideways_and_can_be_dashed():
    nodes = {"a": Node("a", 0.2, 0), "b": Node("b", 0.8, 0)}
    picture = drawn(Arrow("b", "a", "back", dashed=True), nodes=nodes)
    (way,) = [p for p in picture.iter(f"{SVG}path") if p.get("marker-end")]
    x, y, to_x, to_y = map(float, re.findall(r"[\d.]+", way.get("d")))
    assert to_x < x
    assert y == to_y
    assert way.get("stroke-dasharray")


def test_every_arrow_knows_its_tip():
    text = diagram(TWO, [Arrow("z", "net")], "one")
    assert re.search(r'marker id="([^"]+)"', text)[1] == re.search(r"url\(#([^)]+)\)", text)[1]
    assert re.search(r'id="([^"]+)"', text)[1] not in diagram(TWO, [], "another")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_words_make_a_document(words):
    picture = ET.fromstring(diagram({"a": Node(words, 0.5, 0)}, [], words))
    assert picture.get("aria-label") == words or not words.isprintable()


def test_what_can_t_be_drawn_is_said():
    with pytest.raises(RequestError, match="no node has that name"):
        diagram(TWO, [Arrow("z", "critic")], "label")
    with pytest.raises(RequestError, match="label in words"):
        diagram(TWO, [], "")
