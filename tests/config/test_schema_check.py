"""The walk over the schema finds every fault, and agrees with msgspec on what a fault is."""

from __future__ import annotations

import copy
import datetime
import tomllib
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.json_schema import schemas
from pipeline.config.schema import Fixture, Source
from pipeline.config.schema_check import check_schema
from tests.config.sample import FIXTURE

GOOD = tomllib.loads(FIXTURE)
KNOWN = st.sampled_from(
    ["urls", "license", "licence", "sha256", "size", "shape", "mean", "type", "rotate", "weights"]
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**52, max_value=2**70),
    st.just(10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["f32", "NCHW", "0" * 64, "0" * 64 + "\n", "1 GiB", "1 GiB\n"]),
    st.just(datetime.date(2026, 1, 1)),
    st.just(datetime.time(1, 2)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(KNOWN | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside a value."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    inside = [places(item, (*path, key)) for key, item in items]
    return [(*path, key) for key, _ in items] + [one for some in inside for one in some]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the good fixture with one to three places replaced, removed, renamed or added to."""
    data = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        *outer, last = draw(st.sampled_from(places(data)))
        holder: Any = data
        for key in outer:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "rename", "add"])):
            case "replace":
                holder[last] = draw(VALUES)
            case "remove":
                del holder[last]
            case "rename" if isinstance(holder, dict):
                holder[draw(KNOWN | st.text(max_size=3)) + last[1:]] = holder.pop(last)
            case "add" if isinstance(holder, dict):
                holder[draw(KNOWN)] = draw(VALUES)
    return data


@given(mutated())
def test_there_are_findings_exactly_when_msgspec_refuses(data: dict[str, Any]) -> None:
    checked = check_schema(data, Fixture)
    try:
        expected = msgspec.convert(data, Fixture)
    except msgspec.ValidationError:
        assert checked.findings
    else:
        assert checked.findings == ()
        assert checked.value == expected
        assert checked.broken == frozenset()


@given(mutated())
def test_an_editor_with_the_json_schema_says_the_same(data: dict[str, Any]) -> None:
    # To JSON 2.0 is a whole number; a date there is a text, and TOML's are none.
    numbers = [value for value in leaves(data) if isinstance(value, float)]
    if any(value.is_integer() or value != value for value in numbers):
        return
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schemas()["fixture"])
    assert validator.is_valid(data) == (not check_schema(data, Fixture).findings)


def leaves(value: Any) -> list[Any]:
    """Return everything in a value that is no table and no array."""
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


@given(mutated())
def test_what_is_read_is_always_a_whole_table(data: dict[str, Any]) -> None:
    value = check_schema(data, Fixture).value
    assert isinstance(value, Fixture)
    # Everything is of its type, though perhaps outside its limits: it can be written out.
    assert msgspec.json.encode(value)


def test_all_faults_are_found_at_once() -> None:
    data = {
        "urls": ["file:a", 3],
        "lisense": "MIT",
        "sha256": "0" * 64 + "\n",
        "size": 1.0,
        "homepage": datetime.date(2026, 1, 1),
    }
    checked = check_schema(data, Source)
    assert [(finding.path, finding.message, finding.found) for finding in checked.findings] == [
        (
            ("lisense",),
            "Unknown key 'lisense' at the top level; did you mean 'license'?",
            "'lisense'",
        ),
        (("urls", "1"), "Invalid value of urls.1.", "the number 3"),
        (("sha256",), "Invalid value of sha256.", "the string " + repr("0" * 64)[:59] + "…"),
        (("size",), "Invalid value of size.", "the number 1.0"),
        (("homepage",), "Invalid value of homepage.", "the date or time 2026-01-01"),
    ]
    assert checked.findings[2].expected == "64 lower-case hex digits"
    assert checked.value.license == "MIT"
    assert checked.broken == {("license",), ("urls", "1"), ("sha256",), ("size",), ("homepage",)}


def test_a_misspelt_key_is_not_also_a_missing_one_and_what_it_holds_is_checked() -> None:
    data = copy.deepcopy(GOOD)
    data["sorce"] = data.pop("source")
    data["sorce"]["weights"]["size"] = -1
    found = check_schema(data, Fixture).findings
    assert [finding.path for finding in found] == [("sorce",), ("sorce", "weights", "size")]


def test_a_missing_key_comes_with_what_it_is_for() -> None:
    [finding] = check_schema({"urls": ["file:a"]}, Source).findings
    assert finding.message == "Missing key 'license' at the top level."
    assert finding.expected == "a string that is not empty"
    assert finding.hint == "Licence of the file, as an SPDX expression."


def test_an_unknown_value_of_a_choice_offers_the_closest() -> None:
    data = copy.deepcopy(GOOD)
    data["model"]["framework"] = "tensorflw"
    [finding] = check_schema(data, Fixture).findings
    assert finding.message.endswith("did you mean 'tensorflow'?")
    assert finding.expected is not None
    assert finding.expected.startswith("one of caffe, kaldi, ")


def test_a_limit_that_the_walk_does_not_know_is_still_a_fault() -> None:
    class Few(msgspec.Struct):
        names: Annotated[tuple[str, ...], msgspec.Meta(max_length=1)]

    [finding] = check_schema({"names": ["a", "b"]}, Few).findings
    assert "length <= 1" in finding.message


@pytest.mark.parametrize(
    "tensor",
    [{"rotate": False}, {"rotate": 0.0}, {"crop": {"rows": [0]}}, {"crop": {"rows": [0, 1, 2]}}],
)
def test_a_value_that_is_nearly_right(tensor: dict[str, Any]) -> None:
    data = copy.deepcopy(GOOD)
    data["tensor"]["cat"]["data"] |= tensor
    [finding] = check_schema(data, Fixture).findings
    assert finding.path[:3] == ("tensor", "cat", "data")


def test_a_whole_number_that_no_float_can_hold() -> None:
    class Plain(msgspec.Struct):
        ratio: float

    [finding] = check_schema({"ratio": 10**400}, Plain).findings
    assert finding.path == ("ratio",)


def test_a_type_without_words_is_told_to_the_developer() -> None:
    class Odd(msgspec.Struct):
        raw: bytes

    with pytest.raises(TypeError, match="no description of the schema type"):
        check_schema({"raw": 1}, Odd)
