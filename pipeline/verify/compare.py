"""How far two arrays are apart, and whether that is within a stated tolerance."""

from __future__ import annotations

from typing import Any

import msgspec


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The distance of two arrays: the largest absolute and relative difference, and the cosine.

    ``agrees`` is true when every element satisfies ``|a - b| <= absolute + relative × |b|`` for
    the tolerance that was asked for. ``note`` says why they cannot be compared, if so.
    """

    agrees: bool
    max_absolute: float = 0.0
    max_relative: float = 0.0
    cosine: float = 1.0
    note: str = ""


def compare(ours: Any, theirs: Any, *, absolute: float, relative: float) -> Difference:
    """Compare two arrays element by element, in float64.

    A difference in size, or a NaN or infinity on either side, never agrees. Shapes may differ by
    axes of length 1, which frameworks drop or add.

    >>> import numpy
    >>> compare(numpy.ones(3), numpy.ones(3) * 1.01, absolute=0.0, relative=0.02).agrees
    True
    """
    import numpy

    squeezed = (
        tuple(n for n in ours.shape if n > 1),
        tuple(n for n in theirs.shape if n > 1),
    )
    if squeezed[0] != squeezed[1]:
        note = f"shapes differ: {list(ours.shape)} and {list(theirs.shape)}"
        return Difference(agrees=False, note=note)
    a = ours.astype(numpy.float64).ravel()
    b = theirs.astype(numpy.float64).ravel()
    if not (numpy.isfinite(a).all() and numpy.isfinite(b).all()):
        return Difference(agrees=False, note="a value is NaN or infinite")
    distance = numpy.abs(a - b)
    magnitude = numpy.abs(b)
    floor = numpy.maximum(magnitude, numpy.finfo(numpy.float32).tiny)
    norms = float(numpy.linalg.norm(a) * numpy.linalg.norm(b))
    return Difference(
        agrees=bool((distance <= absolute + relative * magnitude).all()),
        max_absolute=float(distance.max(initial=0.0)),
        max_relative=float((distance / floor).max(initial=0.0)),
        cosine=float(a @ b) / norms if norms else float(not a.any() and not b.any()),
    )
