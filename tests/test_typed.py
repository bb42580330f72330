"""JSON back into dataclasses: every type is checked, and nothing but ValueError comes of it."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.training import Card
from symphony.typed import from_json


@dataclass(frozen=True)
class Inner:
    count: int
    share: float = 0.5

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("a count is 0 or more")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=lambda: Inner(1))
    on: bool = False
    kind: Literal["a", "b"] = "a"
    most: int | None = None
    pair: tuple[int, float] = (1, 2.0)
    several: tuple[int, ...] = ()
    words: list[str] = field(default_factory=list)
    table: dict[str, float] = field(default_factory=dict)
    anything: Any = None


WHOLE = Outer("x", Inner(3, 0.25), True, "b", 7, (1, 0.5), (1, 2, 3), ["a"], {"k": 1.5}, [None])


def test_a_dataclass_survives_json():
    assert from_json(Outer, json.loads(json.dumps(asdict(WHOLE)))) == WHOLE
    assert from_json(Outer, {"name": "x"}) == Outer("x")


def test_whole_numbers_do_where_fractions_are_meant_and_not_the_other_way_round():
    assert from_json(float, 2) == 2
    assert from_json(Outer, {"name": "x", "table": {"k": 2}}).table == {"k": 2}
    with pytest.raises(ValueError, match=r"it is '2\.0', not int"):
        from_json(int, 2.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": 3}, "it.name is '3', not str"),
        ({"on": 1}, "it.on is '1', not bool"),
        ({"most": True}, "it.most is 'True', not int"),
        ({"most": "7"}, "it.most is '7', not int"),
        ({"kind": "c"}, "it.kind is 'c', not 'a' or 'b'"),
        ({"kind": ["a"]}, r"it.kind is .*, not 'a' or 'b'"),
        ({"inner": 3}, "it.inner is '3', not an object"),
        ({"inner": {"count": 1, "share": "much"}}, "it.inner.share is 'much', not a number"),
        ({"inner": {"count": 1, "share": True}}, "it.inner.share is 'True', not a number"),
        ({"inner": {"count": 1, "widht": 2}}, "not without 'widht'"),
        ({"inner": {"share": 0.5}}, "it.inner: .*missing .*count"),
        ({"inner": {"count": -1}}, "a count is 0 or more"),
        ({"pair": [1]}, "it.pair is .*, not 2 values"),
        ({"pair": [1, 2, 3]}, "it.pair is .*, not 2 values"),
        ({"pair": "ab"}, "it.pair is 'ab', not a list"),
        ({"several": [1, "2"]}, "it.several is '2', not int"),
        ({"words": {"a": 1}}, "it.words is .*, not a list"),
        ({"table": [1]}, "it.table is .*, not an object"),
        ({"table": {"k": None}}, "it.table.k is 'None', not a number"),
    ],
)
def test_what_is_wrong_is_said_and_where(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_json(Outer, {"name": "x", **change})


@pytest.mark.parametrize("value", [None, 3, [], "x", {"name": "x", "nam": 1}, {}])
def test_what_is_no_object_of_this_kind(value):
    with pytest.raises(ValueError, match="it"):
        from_json(Outer, value)


def test_long_values_are_cut_in_the_sentence():
    with pytest.raises(ValueError, match="not an object") as caught:
        from_json(Inner, "x" * 10_000)
    assert len(str(caught.value)) < 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.integers(10**300, 10**400),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from([*Outer.__dataclass_fields__, *Inner.__dataclass_fields__, "else"]),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip
KINDS = [
    Outer, Inner, Card, int, float, str, bool, int | None, tuple[int, ...], tuple[float, float],
    list[str], dict[str, float], Literal["a"], Any, list[Inner], dict[str, Outer],
]  # fmt: skip


@given(st.sampled_from(KINDS), JSON)
def test_any_json_becomes_a_value_or_a_value_error(kind, value):
    with suppress(ValueError):  # and no OverflowError, TypeError, KeyError …
        from_json(kind, value)


@given(JSON, st.sampled_from(["name", "inner", "on", "pair", "several", "words", "table"]))
def test_a_spoiled_field_is_refused_or_of_its_type(value, name):
    try:
        made = from_json(Outer, {**asdict(WHOLE), name: value})
    except ValueError:
        return
    assert type(getattr(made, name)) is type(getattr(WHOLE, name))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_number_beyond_all_fractions_is_no_overflow_error(sign):
    with suppress(ValueError):
        from_json(dict[str, float], json.loads('{"a": %s}' % (sign * 10**400)))
