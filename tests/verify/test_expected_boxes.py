"""A detector's boxes, held against those that the config expects."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from pipeline.config.expect_tables import ExpectedBox, ExpectedDetections
from pipeline.config.schema import Expect
from pipeline.verify.detections import Box, detections, overlap
from pipeline.verify.expectation import unmet_expectations

LABELS = ("ant", "bee", "cat")
SIZE = (100, 200)


def grid(*boxes: tuple[float, float, float, float, int, float]) -> dict[str, Any]:
    """Return a YOLO output: centre and size in pixels, a class and its score, for each box."""
    rows = numpy.zeros((400, 7), numpy.float32)
    rows[:, :4] = 1
    for row, (x, y, width, height, class_, score) in zip(rows, boxes, strict=False):
        row[:4] = x, y, width, height
        row[4 + class_] = score
    return {"output0": rows.T[None]}


# A bee of 40 x 20 pixels around (100, 50), seen twice, and a cat.
FOUND = grid((100, 50, 40, 20, 1, 0.9), (101, 50, 40, 20, 1, 0.8), (20, 20, 10, 10, 2, 0.7))
BEE = ExpectedBox(index=1, box=(0.4, 0.4, 0.6, 0.6))
CAT = ExpectedBox(index=2, box=(0.075, 0.15, 0.125, 0.25))


def messages(*boxes: ExpectedBox, outputs: Any = FOUND, **keys: float) -> list[str]:
    expect = Expect(detections=ExpectedDetections(boxes=boxes, **keys))
    errors = unmet_expectations(expect, outputs, LABELS, "x: cat", size=SIZE)
    return [error.render() for error in errors]


def test_boxes_are_found_in_any_order() -> None:
    assert messages(CAT, BEE) == []


def test_a_box_elsewhere_is_named_with_its_class_and_how_far_it_is() -> None:
    moved = ExpectedBox(index=1, box=(0.42, 0.4, 0.62, 0.6))
    [message] = messages(moved, CAT)
    assert "1 bee [0.420, 0.400, 0.620, 0.600], with an intersection over union" in message
    assert "boxes with a score of at least 0.3:" in message
    assert "1 bee [0.400, 0.400, 0.600, 0.600], score 0.9" in message
    assert "which has 0.82" in message
    assert messages(moved, CAT, overlap=0.8) == []


def test_a_box_of_another_class_is_not_found() -> None:
    ant = ExpectedBox(index=0, box=BEE.box)
    [message] = messages(ant, CAT)
    assert "does not find an expected box" in message
    assert "expected: 0 ant" in message


def test_a_box_without_a_class_may_be_of_any() -> None:
    assert messages(ExpectedBox(box=BEE.box), CAT) == []


def test_a_box_more_is_named() -> None:
    [message] = messages(BEE)
    assert "finds a box that the config does not expect" in message
    assert "found:    2 cat" in message
    assert messages(BEE, score=0.75) == []


def test_one_box_answers_for_one_expected_box() -> None:
    [message] = messages(BEE, BEE, CAT)
    assert "does not find an expected box" in message


def test_what_is_no_detector_is_said_to_be_none() -> None:
    [message] = messages(BEE, outputs={"prob": numpy.zeros((1, 10), numpy.float32)})
    assert "not boxes in a known layout" in message
    assert "prob [1, 10]" in message


def test_nan_is_no_box() -> None:
    outputs = {name: array.copy() for name, array in FOUND.items()}
    outputs["output0"][0, 4:, 0] = numpy.nan
    assert messages(BEE, CAT, outputs=outputs)


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0, 0, 1, 1), 1.0), ((0.5, 0, 1.5, 1), 1 / 3), ((1, 1, 2, 2), 0.0), ((0, 0, 0, 0), 0.0)],
)
def test_overlap(other: tuple[float, float, float, float], expected: float) -> None:
    one = Box(0, 0, 1, 1, 0.9, None)
    assert overlap(one, Box(*other, 0.9, None)) == pytest.approx(expected)


def test_boxes_of_one_class_that_overlap_are_one() -> None:
    found = detections(FOUND, SIZE)
    assert found is not None
    assert [box.class_ for box in found.boxes] == [1, 2]
    crossed = grid((100, 50, 40, 20, 1, 0.9), (101, 50, 40, 20, 2, 0.8))
    found = detections(crossed, SIZE)
    assert found is not None
    assert [box.class_ for box in found.boxes] == [1, 2]
