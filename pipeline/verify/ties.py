"""Find integer outputs whose scores tie, where either index is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.verify.tolerance import FACTOR, last_places


def tied(ours: Any, theirs: Any, scores: Iterable[tuple[Any, float]]) -> Any:
    """Return a mask of ``theirs``: where our index has the same score, as far as noise can tell.

    ``scores`` are the source framework's other outputs with their noise floors. One counts when
    every index of ``theirs`` is that of the largest score along one of its axes.

    >>> import numpy
    >>> scores = numpy.array([[0.1, 0.45, 0.45000002]], numpy.float32)
    >>> tied(numpy.array([1]), numpy.array([2]), [(scores, 0.0)]).tolist()
    [True]
    """
    import numpy

    found = numpy.zeros(theirs.size, bool)
    for values, noise in scores:
        wide = values.astype(numpy.float64)
        for axis, size in enumerate(wide.shape):
            rows = numpy.moveaxis(wide, axis, -1).reshape(-1, size)
            if size < 2 or len(rows) != theirs.size:
                continue
            row = numpy.arange(len(rows))
            right, given = theirs.ravel(), ours.ravel()
            if not ((given >= 0) & (given < size)).all() or (rows.argmax(1) != right).any():
                continue
            places = numpy.moveaxis(last_places(wide.ravel()).reshape(wide.shape), axis, -1)
            bound = FACTOR * noise + places.reshape(-1, size)[row, right]
            found |= rows[row, right] - rows[row, given.astype(numpy.intp)] <= bound
    return found.reshape(theirs.shape)
