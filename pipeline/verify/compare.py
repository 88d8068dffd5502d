"""How far two arrays are apart, and whether that is within a stated tolerance."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.verify.tolerance import Tolerance

_TOP = 5


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The distance of two arrays: the largest absolute and relative difference, and the cosine.

    ``agrees`` is true when they are within the tolerance that was asked for. ``top_five`` is how
    many of the five largest elements are the same; of fewer elements, how many of all. ``note``
    says why they cannot be compared, if so.
    """

    agrees: bool
    max_absolute: float = 0.0
    max_relative: float = 0.0
    cosine: float = 1.0
    top_five: int = 0
    note: str = ""


def compare(ours: Any, theirs: Any, allowed: Tolerance) -> Difference:
    """Compare two arrays element by element, in float64.

    A difference in size or element type, or a NaN or infinity on either side, never agrees. Shapes
    may differ by axes of length 1, which frameworks drop or add.

    >>> import numpy
    >>> within = Tolerance(absolute=0.0, relative=0.02, cosine=0.99)
    >>> compare(numpy.ones(3), numpy.ones(3) * 1.01, within).agrees
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
    if ours.dtype != theirs.dtype:
        return Difference(agrees=False, note=f"types differ: {ours.dtype} and {theirs.dtype}")
    a = ours.astype(numpy.float64).ravel()
    b = theirs.astype(numpy.float64).ravel()
    if not (numpy.isfinite(a).all() and numpy.isfinite(b).all()):
        return Difference(agrees=False, note="a value is NaN or infinite")
    distance = numpy.abs(a - b)
    magnitude = numpy.abs(b)
    floor = numpy.maximum(magnitude, numpy.finfo(numpy.float32).tiny)
    norms = float(numpy.linalg.norm(a) * numpy.linalg.norm(b))
    cosine = float(a @ b) / norms if norms else float(not a.any() and not b.any())
    near = (distance <= allowed.absolute + allowed.relative * magnitude).all()
    return Difference(
        agrees=bool(near) and cosine >= allowed.cosine,
        max_absolute=float(distance.max(initial=0.0)),
        max_relative=float((distance / floor).max(initial=0.0)),
        cosine=cosine,
        top_five=len(_largest(a) & _largest(b)),
    )


def _largest(values: Any) -> set[int]:
    import numpy

    return {int(index) for index in numpy.argsort(-values, kind="stable")[:_TOP]}
