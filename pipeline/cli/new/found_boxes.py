"""Boxes that a detector's source model finds, as the expectation of a drafted case."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec

from pipeline.verify.detections import LEAST_SCORE, detections

# Scores on either side of the lowest one that counts are at least so far apart.
_APART = 0.1
_MOST = 20


class FoundBox(msgspec.Struct, frozen=True, kw_only=True):
    """A box: the index of its class, if any, and its sides as shares of the image."""

    box: tuple[float, float, float, float]
    index: int | None


class FoundBoxes(msgspec.Struct, frozen=True, kw_only=True):
    """The boxes with at least a score that no box is near to, the best first."""

    score: float
    boxes: tuple[FoundBox, ...]


def found_boxes(outputs: Mapping[str, Any], size: tuple[int, int]) -> FoundBoxes | None:
    """Return the clear boxes of a detector's outputs; None if there are none.

    The lowest score is in the middle of the widest gap between scores. ``size`` is height and
    width of the input image.

    >>> import numpy
    >>> rows = numpy.array([[[[0, 7, 0.9, 0.1, 0.1, 0.5, 0.5], [0, 7, 0.4, 0, 0, 1, 1]]]])
    >>> found = found_boxes({"detection_out": rows}, (300, 300))
    >>> found.score, len(found.boxes), found.boxes[0].index
    (0.65, 1, 7)
    """
    found = detections(outputs, size)
    if found is None or not found.boxes:
        return None
    scores = [*(box.score for box in found.boxes), LEAST_SCORE]
    gaps = [high - low for high, low in pairwise(scores)]
    at = max(range(len(gaps)), key=lambda index: gaps[index])
    if gaps[at] < _APART or at >= _MOST:
        return None
    return FoundBoxes(
        score=round((scores[at] + scores[at + 1]) / 2, 2),
        boxes=tuple(
            FoundBox(
                box=(
                    *(round(box.left, 3), round(box.top, 3)),
                    *(round(box.right, 3), round(box.bottom, 3)),
                ),
                index=box.class_,
            )
            for box in found.boxes[: at + 1]
        ),
    )
