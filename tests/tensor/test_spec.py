"""A tensor's name and its spec tell the same."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.case_rules import file_parts
from pipeline.config.tensor_tables import ElementType
from pipeline.errors import PipelineError
from pipeline.tensor.spec import TensorSpec, file_name, parse_file_name, parse_spec

SPECS = st.builds(
    TensorSpec,
    dims=st.lists(st.integers(0, 10**6), min_size=1, max_size=6).map(tuple),
    type=st.sampled_from(get_args(ElementType)),
    colour=st.sampled_from(["RGB", "BGR", "GRAY", None]),
    layout=st.none(),
)
NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple)
WHOLE_SPECS = st.builds(
    TensorSpec,
    dims=st.lists(st.integers(0, 10**6), min_size=1, max_size=6).map(tuple),
    type=st.sampled_from(get_args(ElementType)),
    colour=st.sampled_from(["RGB", "BGR", "GRAY", "RGBA", None]),
    layout=st.none() | st.permutations("NCDHW").map("".join) | st.sampled_from(["NCHW", "HW"]),
    range=st.sampled_from(["0-255", "0-1", None]),
    mean=NUMBERS,
    scale=NUMBERS,
)
CASES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
INPUTS = st.none() | st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)


@given(SPECS, CASES, INPUTS)
def test_a_name_tells_the_spec_it_was_made_from(
    spec: TensorSpec, case: str, model_input: str | None
) -> None:
    assert parse_file_name(file_name(spec, case, model_input)) == (case, model_input, spec)


@given(WHOLE_SPECS)
def test_a_text_tells_the_spec_it_was_made_from_and_there_is_one_text_for_each(
    spec: TensorSpec,
) -> None:
    assert parse_spec(str(spec)) == spec
    assert str(parse_spec(str(spec))) == str(spec)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f32",
        "1x3 f31",
        "1x3 f32 XY",
        "1x3 f32 mean",
        "1x3 f32 mean 1,,2",
        "1x3  f32",
        "1x3 f32 ",
    ],
)
def test_a_text_that_tells_no_spec_is_refused(text: str) -> None:
    with pytest.raises(PipelineError):
        parse_spec(text)


@pytest.mark.parametrize(
    ("spec", "case", "name"),
    [
        (TensorSpec((1, 3, 227, 227), "f32", "BGR", "NCHW"), None, "tensor-1x3x227x227-f32.bgr"),
        (TensorSpec((1, 3, 227, 227), "f32", "BGR", "NCHW"), "cat", "cat-1x3x227x227-f32.bgr"),
        (TensorSpec((1, 28, 28, 1), "u8", "GRAY", "NHWC"), "two", "two-1x28x28x1-u8.gray"),
        (TensorSpec((1, 43844, 1), "f32", None, None), None, "tensor-1x43844x1-f32.raw"),
    ],
)
def test_the_names_of_the_field(spec: TensorSpec, case: str | None, name: str) -> None:
    assert file_name(spec, case) == name


def test_an_input_with_a_name_that_no_file_can_have() -> None:
    spec = TensorSpec((1,), "i64", None, None)
    [part] = file_parts(["serving/x:0"]).values()
    assert file_name(spec, "sr", part) == "sr.serving-x-0-1-i64.raw"


@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_every_name_of_a_model_has_a_file_name_of_its_own(names: list[str]) -> None:
    spec = TensorSpec((1,), "i64", None, None)
    parts = file_parts(names)
    assert [*parts] == names
    assert len({part.casefold() for part in parts.values()}) == len(names)
    for part in parts.values():
        assert parse_file_name(file_name(spec, "case", part)) == ("case", part, spec)


def test_a_part_does_not_depend_on_the_order_of_the_names() -> None:
    names = ["a.b", "a:b", "A-B", "画像", "x"]
    assert file_parts(names) == file_parts(names[::-1])
    assert file_parts(names)["x"] == "x"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "cat.png",
        "cat-1x3-f32",
        "cat-1x00-f32.bgr",
        "cat-1x3-f31.bgr",
        "cat-1x3-f32.jpg",
        "-1-u8.raw",
    ],
)
def test_a_name_that_tells_nothing_is_refused(name: str) -> None:
    with pytest.raises(PipelineError):
        parse_file_name(name)


@given(SPECS)
def test_the_size_is_that_of_the_elements(spec: TensorSpec) -> None:
    bits = int(spec.type.lstrip("bfiu"))
    count = 1
    for axis in spec.dims:
        count *= axis
    assert spec.size * 8 == count * bits
