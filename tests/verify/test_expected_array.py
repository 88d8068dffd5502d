"""A segmenter's mask and an encoder's vector, held against stored arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from pipeline.config.expect_tables import ExpectedMask, ExpectedVector
from pipeline.config.schema import Expect
from pipeline.errors import PipelineError
from pipeline.verify.expectation import unmet_expectations
from pipeline.verify.expected_array import class_map

MASK = numpy.array([[0, 0, 2], [0, 2, 2]], numpy.uint8)


def scores(classes: Any, axis: int) -> Any:
    """Return scores of three classes whose largest is that of each position."""
    planes = numpy.stack([classes == each for each in range(3)], axis).astype(numpy.float32)
    return planes[None]


def messages(expect: Expect, array: Any, **stored: Any) -> list[str]:
    files = {}
    for kind, (folder, values) in stored.items():
        files[kind] = folder / f"cat-{kind}.npy"
        if isinstance(values, bytes):
            files[kind].write_bytes(values)
        else:
            numpy.save(files[kind], values)
    errors = unmet_expectations(expect, {"y": array}, ("sky", "sea", "cat"), "x: cat", files=files)
    return [error.render() for error in errors]


def mask(folder: Path, array: Any, overlap: float = 0.95, stored: Any = MASK) -> list[str]:
    expect = Expect(mask=ExpectedMask(source="mask", overlap=overlap))
    return messages(expect, array, mask=(folder, stored))


def vector(
    folder: Path, array: Any, stored: Any, average: int | None = None, cosine: float = 0.99
) -> list[str]:
    expect = Expect(vector=ExpectedVector(source="vector", cosine=cosine), average=average)
    return messages(expect, array, vector=(folder, stored))


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(scores(MASK, 0), id="classes first"),
        pytest.param(scores(MASK, 2), id="classes last"),
        pytest.param(MASK.astype(numpy.int64)[None, None], id="the class itself"),
    ],
)
def test_a_map_of_classes_in_any_form_is_the_mask(tmp_path: Path, array: Any) -> None:
    assert mask(tmp_path, array) == []


def test_a_single_map_is_class_1_above_a_half(tmp_path: Path) -> None:
    binary = (MASK > 0).astype(numpy.uint8)
    assert mask(tmp_path, (binary * 0.6)[None, :, :, None], stored=binary) == []
    assert mask(tmp_path, (binary * 0.4)[None, :, :, None], stored=binary) != []


def test_a_class_elsewhere_is_named_with_its_overlap(tmp_path: Path) -> None:
    moved = numpy.array([[0, 0, 0], [0, 2, 2]], numpy.uint8)
    [message] = mask(tmp_path, scores(moved, 0))
    assert "Class 2 cat is not where the mask has it." in message
    assert "at least 0.95" in message
    assert "0.667" in message
    assert mask(tmp_path, scores(moved, 0), overlap=0.6) == []


def test_an_image_turned_upside_down_is_noticed(tmp_path: Path) -> None:
    assert mask(tmp_path, scores(MASK[::-1], 0))


def test_an_output_of_another_size_is_no_map(tmp_path: Path) -> None:
    [message] = mask(tmp_path, numpy.zeros((1, 3, 4, 3), numpy.float32))
    assert "not a map of classes of the mask's size" in message
    assert "[1, 3, 4, 3]" in message


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (MASK.astype(numpy.float32), "float64"),
        (MASK[0], "[3]"),
        (b"\x89PNG\r\n", "no .npy file"),
        (numpy.zeros((0, 3), numpy.uint8), "[0, 3]"),
    ],
)
def test_a_file_that_is_no_mask_is_refused(tmp_path: Path, stored: Any, found: str) -> None:
    with pytest.raises(PipelineError) as caught:
        mask(tmp_path, scores(MASK, 0), stored=stored)
    assert "a .npy file of whole numbers, rows by columns" in caught.value.render()
    assert found in caught.value.render()


def test_a_mask_of_too_many_classes_is_refused(tmp_path: Path) -> None:
    many = numpy.arange(400, dtype=numpy.int32).reshape(20, 20)
    [message] = mask(tmp_path, many[None], stored=many)
    assert "too many classes" in message


def test_a_vector_has_the_direction_of_the_stored_one(tmp_path: Path) -> None:
    stored = numpy.array([3.0, 4.0], numpy.float32)
    assert vector(tmp_path, numpy.array([[6.0, 8.0]]), stored) == []
    [message] = vector(tmp_path, numpy.array([[8.0, 6.0]]), stored)
    assert "a cosine of at least 0.99" in message
    assert "0.960000" in message


def test_the_vector_of_tokens_is_their_mean(tmp_path: Path) -> None:
    tokens = numpy.array([[[2.0, 4.0], [4.0, 4.0]]], numpy.float32)
    stored = numpy.array([3.0, 4.0], numpy.float32)
    assert vector(tmp_path, tokens, stored, average=1, cosine=0.999999) == []
    [message] = vector(tmp_path, tokens, stored)
    assert "different lengths" in message
    assert "Set average" in message


@pytest.mark.parametrize("values", [[0.0, 0.0], [numpy.nan, 1.0]])
def test_nothing_has_no_direction(tmp_path: Path, values: list[float]) -> None:
    assert vector(tmp_path, numpy.array([values]), numpy.array([1.0, 0.0]))


def test_classes_beside_a_batch_are_not_averaged() -> None:
    assert class_map(numpy.zeros((2, 3, 2, 3), numpy.float32), (2, 3)) is None
