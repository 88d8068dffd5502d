"""The boxes that a detector's outputs hold, in the layouts of common detectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_SCORE = 0.3
_OVERLAP = 0.45
_MOST = 40
# Rows of a network without non-maximum suppression, which has thousands.
_LEAST_ROWS = 300
_MOST_CLASSES = 1000
# Boxes may leave the image a little.
_LOW, _HIGH = -1.0, 2.0


@dataclass(frozen=True)
class Box:
    """A box with its corners as shares of the image, its score, and its class if it has one."""

    left: float
    top: float
    right: float
    bottom: float
    score: float
    class_: int | None


@dataclass(frozen=True)
class Detections:
    """The boxes with a score of at least ``least``, the best first, and the output of them."""

    output: str
    boxes: Sequence[Box]
    least: float


def detections(
    arrays: Mapping[str, Any], size: tuple[int, int], least: float = LEAST_SCORE
) -> Detections | None:
    """Return the boxes of a case's outputs; None if they are not a detector's.

    ``size`` is height and width of the input image, ``least`` the lowest score of a box. Known are
    rows of 7 numbers (SSD of Caffe and OpenVINO), boxes with scores and classes (TensorFlow,
    TorchVision), and the grids of YOLO.
    """
    for name, array in arrays.items():
        found = _ssd(array)
        if found is None:
            found = _grid(array, size, least)
        if found is not None:
            return Detections(name, _best(found, least), least)
    return _separate(arrays, size, least)


def picture_size(tensors: Iterable[tuple[str | None, Sequence[int]]]) -> tuple[int, int]:
    """Return height and width of the first image of a case's tensors; 1 and 1 if there is none.

    Each is a layout, None of what is no image, and a shape.

    >>> picture_size([(None, (1, 512)), ("NCHW", (1, 3, 48, 192))]), picture_size([])
    ((48, 192), (1, 1))
    """
    for layout, dims in tensors:
        if layout is not None and len(layout) == len(dims):
            return dims[layout.index("H")], dims[layout.index("W")]
    return 1, 1


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1.

    >>> overlap(Box(0, 0, 1, 1, 0.9, None), Box(0.5, 0, 1.5, 1, 0.8, None))
    0.3333333333333333
    """
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box.right - box.left) * (box.bottom - box.top) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


def _best(boxes: Sequence[Box], least: float) -> Sequence[Box]:
    good = [box for box in boxes if box.score >= least]
    return sorted(good, key=lambda box: -box.score)[:_MOST]


def _ssd(array: Any) -> Sequence[Box] | None:
    """Return the boxes of rows: image, class, score, left, top, right, bottom."""
    long = [length for length in array.shape[:-1] if length > 1]
    if array.ndim < 3 or array.shape[-1] != 7 or len(long) > 1 or array.dtype.kind != "f":
        return None
    rows = array.reshape(-1, 7)
    rows = rows[rows[:, 0] >= 0]
    classes, scores, corners = rows[:, 1], rows[:, 2], rows[:, 3:]
    whole = (classes == classes.round()).all() and (rows[:, 0] == rows[:, 0].round()).all()
    if not whole or not _are_shares(scores) or not _between(corners, _LOW, _HIGH):
        return None
    return [
        Box(*_numbers(corner), float(score), int(class_))
        for class_, score, corner in zip(classes, scores, corners, strict=True)
    ]


def _grid(array: Any, size: tuple[int, int], least: float) -> Sequence[Box] | None:
    """Return the boxes of a YOLO network: centre and size, then scores, for each cell."""
    import numpy

    if array.ndim != 3 or array.shape[0] != 1 or array.dtype.kind != "f":
        return None
    values = array[0].astype(numpy.float64)
    by_columns = values.shape[0] < values.shape[1]
    rows = values.T if by_columns else values
    if len(rows) < _LEAST_ROWS or not 5 <= rows.shape[1] <= _MOST_CLASSES:
        return None
    shares = rows[:, 4:]
    if not _are_shares(shares):
        return None
    # Networks with a row for each cell have the score of an object before those of the classes.
    objects = not by_columns and rows.shape[1] > 5
    scores = shares[:, 1:] * shares[:, :1] if objects else shares
    centres = _as_shares(rows[:, :4], size)
    if centres is None:
        return None
    best = scores.max(axis=1)
    chosen = numpy.flatnonzero(best >= least)
    boxes = [
        Box(
            *_corners(centres[index]),
            float(best[index]),
            int(scores[index].argmax()) if scores.shape[1] > 1 else None,
        )
        for index in chosen
    ]
    return _suppressed(boxes)


def _numbers(row: Any) -> tuple[float, float, float, float]:
    one, two, three, four = map(float, row)
    return one, two, three, four


def _corners(centre: Any) -> tuple[float, float, float, float]:
    x, y, width, height = _numbers(centre)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _suppressed(boxes: Sequence[Box]) -> Sequence[Box]:
    """Return boxes without those that overlap a better one of their class."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if len(kept) == _MOST:
            break
        if not any(box.class_ == one.class_ and overlap(box, one) > _OVERLAP for one in kept):
            kept.append(box)
    return kept


def _separate(arrays: Mapping[str, Any], size: tuple[int, int], least: float) -> Detections | None:
    """Return the boxes of an output of corners, with scores and classes in other outputs."""
    corners = [
        (name, array)
        for name, array in arrays.items()
        if array.ndim in (2, 3) and array.shape[-1] == 4 and array.dtype.kind == "f"
    ]
    if len(corners) != 1:
        return None
    [(name, array)] = corners
    rows = array.reshape(-1, 4)
    others = {key: each.ravel() for key, each in arrays.items() if each.size == len(rows)}
    scores = [key for key, each in others.items() if each.dtype.kind == "f" and _fall(each)]
    if len(scores) > 1:
        scores = [key for key in scores if "score" in key.lower()] or scores[-1:]
    classes = [
        key for key, each in others.items() if key not in scores and (each == each.round()).all()
    ]
    shares = _as_shares(rows, size)
    if len(scores) != 1 or shares is None:
        return None
    # TensorFlow's shares begin with the top, everybody's pixels with the left.
    if array.ndim == 3 and shares is rows:
        shares = shares[:, [1, 0, 3, 2]]
    kinds = others[classes[0]] if classes else None
    boxes = [
        Box(*_numbers(shares[at]), float(score), None if kinds is None else int(kinds[at]))
        for at, score in enumerate(others[scores[0]])
    ]
    return Detections(name, _best(boxes, least), least)


def _as_shares(rows: Any, size: tuple[int, int]) -> Any:
    """Return coordinates, in shares or pixels, as shares of the image; None if they are neither."""
    import numpy

    if not len(rows) or _between(rows, _LOW, _HIGH):
        return rows
    height, width = size
    shares = rows / numpy.array([width, height, width, height], numpy.float64)
    return shares if _between(shares, _LOW, _HIGH) else None


def _fall(values: Any) -> bool:
    return _are_shares(values) and bool((values[1:] <= values[:-1]).all())


def _are_shares(values: Any) -> bool:
    return _between(values, 0.0, 1.0)


def _between(values: Any, low: float, high: float) -> bool:
    return bool(((values >= low) & (values <= high)).all())
