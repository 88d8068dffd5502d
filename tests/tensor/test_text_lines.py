"""Line numbers are ids: a line ends where editors and the tokenizers' own readers end it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.tensor_tables import TokenText
from pipeline.errors import Code, PipelineError
from pipeline.tensor.dataset.labels import class_numbers, file_labels
from pipeline.tensor.text_lines import read_lines, split_lines
from pipeline.tensor.tokens import token_ids
from pipeline.verify.expectation import labels_of

# All of Python's line boundaries but the two that end a line.
INSIDE = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_only_line_feeds_end_a_line(end: str, mark: str, last: bool) -> None:
    lines = ["first", *(f"a{each}b" for each in INSIDE), "", "last"]
    text = mark + end.join(lines) + (end if last else "")
    assert split_lines(text.encode()) == lines


@pytest.mark.parametrize("inside", INSIDE)
def test_a_token_of_white_space_shifts_no_id(tmp_path: Path, inside: str) -> None:
    (tmp_path / "text").write_bytes("\ufeffthe cat\u2028sat".encode())
    (tmp_path / "words").write_bytes(f"\ufeff[PAD]\r\nthe\r\n{inside}\r\ncat\r\nsat".encode())
    tokens = TokenText(source="text", vocabulary="words")
    found = token_ids(tmp_path / "text", tmp_path / "words", tokens, 4, "x")
    assert found.tolist() == [1, 3, 4, 0]


@pytest.mark.parametrize("inside", INSIDE)
def test_labels_keep_their_numbers(tmp_path: Path, inside: str) -> None:
    (tmp_path / "labels").write_bytes(
        f"\ufeffn01440764 tench\r\ngold{inside}fish\r\nshark\r\n".encode()
    )
    lines = read_lines(tmp_path / "labels", "x")
    assert labels_of(lines) == ("tench", f"gold{inside}fish", "shark")
    assert class_numbers(["n01440764", "shark"], lines, "x") == {"n01440764": 0, "shark": 2}


def test_a_list_of_pictures_begins_after_its_mark(tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes("\ufeffa.jpg 7\r\nb\x85c.jpg 8".encode())
    lines = read_lines(tmp_path / "labels", "x")
    assert file_labels(["a.jpg", "b\x85c.jpg"], lines, "x") == {"a.jpg": "7", "b\x85c.jpg": "8"}


def test_what_is_no_text_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(b"caf\xe9\n")
    with pytest.raises(PipelineError) as caught:
        read_lines(tmp_path / "labels", "tensor.x")
    assert caught.value.code is Code.TENSOR
    assert "tensor.x, labels" in caught.value.render()
