"""The bytes of a file as a tensor: its first and its last, filled up where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import Content, Tensor
from pipeline.tensor.content import read_content


def numbers(folder: Path, data: bytes, **table: Any) -> list[int]:
    (folder / "file").write_bytes(data)
    content = Content(source="file", **{"head": 4, "tail": 3, "pad": 256, **table})
    return [int(value) for value in read_content(folder / "file", content)]


def test_the_first_and_the_last_bytes_of_a_long_file(tmp_path: Path) -> None:
    assert numbers(tmp_path, bytes(range(100))) == [0, 1, 2, 3, 97, 98, 99]


def test_a_short_file_is_filled_up_after_its_head_and_before_its_tail(tmp_path: Path) -> None:
    assert numbers(tmp_path, b"\x07\x08") == [7, 8, 256, 256, 256, 7, 8]


def test_an_empty_file_is_all_padding(tmp_path: Path) -> None:
    assert numbers(tmp_path, b"") == [256] * 7


def test_white_space_at_both_ends_is_left_out_where_asked(tmp_path: Path) -> None:
    assert numbers(tmp_path, b" \n ab \t", strip=True) == [97, 98, 256, 256, 256, 97, 98]
    assert numbers(tmp_path, b" ab ")[0] == 32


@given(data=st.binary(max_size=40), head=st.integers(0, 20), tail=st.integers(0, 20))
def test_it_is_what_slices_of_the_file_are(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: int, tail: int
) -> None:
    first = list(data[:head]) + [256] * max(0, head - len(data))
    last = list(data[-tail:] if tail else b"")
    expected = first + [256] * (tail - len(last)) + last
    assert numbers(tmp_path_factory.mktemp("any"), data, head=head, tail=tail) == expected


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "too few bytes": (
        {"content": Content(source="s", head=3)},
        "The content does not fill the input",
    ),
    "a padding that is no byte": (
        {"type": "u8", "content": Content(source="s", head=4, pad=256)},
        "u8 cannot represent the number",
    ),
    "a fraction as a whole number": (
        {"type": "i64", "constant": 0.5},
        "i64 cannot represent the number",
    ),
    "a number too large for f16": ({"type": "f16", "constant": 7e4}, "too large for f16"),
    "a number below zero": ({"type": "u8", "constant": -1}, "u8 cannot represent the number"),
    "two things": ({"constant": 1, "content": Content(source="s", head=4)}, "exactly one origin"),
    "nothing": ({}, "exactly one origin"),
    "the colour of a number": ({"constant": 1, "colour": "RGB"}, "has no colour"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_is_refused(fault: str) -> None:
    table, said = FAULTS[fault]
    [finding] = check_tensor(Tensor(**{"type": "f32", **table}), (1, 4), "tensor.a.x")
    assert said in finding.message


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor(type="i32", content=Content(source="s", head=2, tail=2, pad=256)),
        Tensor(type="i64", constant=16000),
        Tensor(type="f16", constant=-1.5),
    ],
)
def test_what_can_be_is_accepted(tensor: Tensor) -> None:
    assert check_tensor(tensor, (1, 4), "tensor.a.x") == []
