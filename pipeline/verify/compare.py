"""The distance of two arrays, compared with the source framework's own noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.verify.noise_floor import draws_of, noise_floor
from pipeline.verify.tolerance import FACTOR, INT8, ULPS, Tolerance, last_places, scale_of

_TOP = 5
# What is 0 everywhere has no last place.
_TINY = 2.0**-149
# JSON has no infinity.
_MOST = 1e300
_F16_PLACE = 2.0**-10
_BF16_PLACE = 2.0**-7


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The distance of an output from the source framework's, and its bound."""

    agrees: bool
    """Whether no element is farther than its bound."""
    max_absolute: float = 0.0
    """The largest distance of all elements."""
    max_relative: float = 0.0
    """The largest distance as a share of the framework's value."""
    cosine: float = 1.0
    """The cosine of the two outputs."""
    top_five: int = 0
    """How many of the five largest elements are the same; of fewer elements, how many of all."""
    distance: float = 0.0
    """The distance of the element that is nearest to its bound, or farthest beyond it."""
    floor: float = 0.0
    """The noise floor of that element."""
    bound: float = 0.0
    """The bound of that element; 0 for whole numbers, which must be equal."""
    margin: float = 0.0
    """Its distance divided by its bound: what agrees has 1 at most."""
    noise: float = 0.0
    """The greatest noise floor of all elements."""
    elements: int = 0
    """How many elements there are."""
    outside: int = 0
    """How many elements are beyond their bound."""
    place: str = ""
    """Where those are, if that is one element or one channel."""
    ties: int = 0
    """How many whole numbers differ where two scores tie within the noise floor."""
    kernels: float | None = None
    """The largest error of this processor's int8 kernels, if it has any."""
    note: str = ""
    """Why the outputs cannot be compared, or what else is wrong."""


def compare(
    ours: Any,
    theirs: Any,
    allowed: Tolerance,
    others: Sequence[Any] = (),
    *,
    quantum: float | None = None,
    ulps: int = ULPS,
    bf16: bool = False,
    floor: float = 0.0,
    times: float = 1.0,
) -> Difference:
    """Compare an output with the source framework's, element by element, in float64.

    ``others`` are the framework's answers to the same case with nothing but rounding changed; their
    movement is the noise floor, which is nowhere below ``floor``. ``quantum`` is the last place of
    an output of a quantised network, None for any other. ``ulps`` are the units in the last place
    that it may be off besides; ``bf16`` tells that the framework rounds it to that in the end. The
    bound is taken ``times``.

    A difference in size or element type, or a NaN or infinity on either side, never agrees. Shapes
    may differ by axes of length 1, which frameworks drop or add.

    >>> import numpy
    >>> one = numpy.ones(3, numpy.float32)
    >>> compare(one * numpy.float32(1.01), one, Tolerance()).agrees
    False
    >>> compare(one * numpy.float32(1.01), one, Tolerance(), [one * numpy.float32(1.002)]).agrees
    True
    """
    import numpy

    if note := _incomparable(ours, theirs):
        return Difference(agrees=False, note=note)
    a = ours.astype(numpy.float64).ravel()
    b = theirs.astype(numpy.float64).ravel()
    if not (numpy.isfinite(a).all() and numpy.isfinite(b).all()):
        return Difference(agrees=False, note="a value is NaN or infinite")
    distance = numpy.abs(a - b)
    noise = numpy.maximum(noise_floor(b, others), floor)
    places = last_places(b, ulps)
    if quantum is not None:
        places = numpy.maximum(places, quantum)
    if ours.dtype.itemsize == 2 and ours.dtype.kind == "f":
        # Both are rounded to f16 in the end.
        places += 2 * _F16_PLACE * numpy.abs(b)
    elif bf16:
        places += 2 * _BF16_PLACE * numpy.abs(b)
    measured = numpy.maximum(times * (FACTOR * noise + places), _TINY)
    wide = allowed.absolute + allowed.share * scale_of(b) + allowed.relative * numpy.abs(b)
    bound = numpy.maximum(measured, times * wide)
    ratio = numpy.minimum(distance / bound, _MOST)
    cosine = _cosine(a, b)
    beyond = ratio > 1
    near = not beyond.any()
    margin = float(ratio.max(initial=0.0))
    if near and quantum is not None:
        margin = max(margin, _energy(distance, b, others, quantum))
        near = margin <= 1
    turned = cosine < allowed.cosine and bool((distance > measured).any())
    worst = int(ratio.argmax()) if ratio.size else None
    return Difference(
        agrees=near and not turned,
        max_absolute=float(distance.max(initial=0.0)),
        max_relative=_relative(distance, b),
        cosine=cosine,
        top_five=len(_largest(a) & _largest(b)),
        distance=0.0 if worst is None else float(distance[worst]),
        floor=0.0 if worst is None else float(noise[worst]),
        bound=0.0 if worst is None else float(bound[worst]),
        margin=margin,
        noise=float(noise.max(initial=0.0)),
        elements=int(ratio.size),
        outside=int(beyond.sum()),
        place=_place(beyond.reshape(theirs.shape)),
    )


def bound_at(difference: Difference, values: Any, allowed: Tolerance, ulps: int = ULPS) -> float:
    """Return how far any element of an output may be from the source framework's: 0 if whole."""
    import numpy

    if not difference.bound:
        return 0.0
    if difference.kernels is not None:
        allowed = INT8
    flat = values.astype(numpy.float64).ravel()
    largest = float(scale_of(flat).max(initial=0.0))
    measured = FACTOR * difference.noise + float(last_places(flat, ulps).max(initial=0.0))
    return max(measured, allowed.absolute + (allowed.share + allowed.relative) * largest)


def compare_whole(
    ours: Any, theirs: Any, others: Sequence[Any] = (), tied: Any = None
) -> Difference:
    """Compare whole numbers, such as classes and tokens: they are equal, or wrong, or tie.

    A number ties where the framework itself gives ours in one of the ``others``, and where the
    mask ``tied`` says so. Shapes, types and ``others`` are as for ``compare``.

    >>> import numpy
    >>> compare_whole(numpy.array([1000]), numpy.array([1010])).agrees
    False
    """
    import numpy

    if note := _incomparable(ours, theirs):
        return Difference(agrees=False, note=note)
    a, b = ours.ravel(), theirs.ravel()
    differs = a != b
    ties = numpy.zeros_like(differs) if tied is None else differs & tied.ravel()
    for other in others:
        if other.size == a.size:
            ties |= differs & (other.ravel() == a)
    beyond = differs & ~ties
    # Not of float64, which cannot tell large whole numbers apart.
    gap = max(
        (abs(int(x) - int(y)) for x, y in zip(a[differs], b[differs], strict=True)), default=0
    )
    x, y = a.astype(numpy.float64), b.astype(numpy.float64)
    return Difference(
        agrees=not beyond.any(),
        max_absolute=float(gap),
        max_relative=_relative(numpy.abs(x - y), y),
        cosine=_cosine(x, y),
        top_five=len(_largest(x) & _largest(y)),
        distance=float(gap),
        margin=float(gap) if beyond.any() else 0.0,
        elements=int(differs.size),
        outside=int(beyond.sum()),
        place=_place(beyond.reshape(theirs.shape)),
        ties=int(ties.sum()),
    )


def _incomparable(ours: Any, theirs: Any) -> str:
    squeezed = [tuple(n for n in each.shape if n > 1) for each in (ours, theirs)]
    if squeezed[0] != squeezed[1]:
        return f"shapes differ: {list(ours.shape)} and {list(theirs.shape)}"
    if ours.dtype != theirs.dtype:
        return f"types differ: {ours.dtype} and {theirs.dtype}"
    return ""


def _energy(distance: Any, answer: Any, others: Sequence[Any], quantum: float) -> float:
    """Return the sum of squared distances over what the movements allow, of a quantised network.

    One element of it says little: rounding alone may move it by many levels. Beside ``FACTOR``
    times what the framework moves by in the median, or without graph optimisation if that is more,
    ``ULPS`` elements may differ by one quantum.
    """
    import numpy

    moves = [numpy.square(other.astype(numpy.float64).ravel() - answer).sum() for other in others]
    draws = draws_of(quantised=True)
    # Inputs that are moved by less than half a step of the first layer move nothing.
    usual = max(numpy.median(moves[:draws]) if moves else 0.0, *moves[draws:], 0.0)
    allowed = FACTOR * float(usual) + max(ULPS * quantum**2, _TINY)
    return float(min(numpy.square(distance).sum() / allowed, _MOST))


def _cosine(a: Any, b: Any) -> float:
    import numpy

    norms = float(numpy.linalg.norm(a) * numpy.linalg.norm(b))
    return float(a @ b) / norms if norms else float(not a.any() and not b.any())


def _relative(distance: Any, values: Any) -> float:
    import numpy

    least = numpy.maximum(numpy.abs(values), numpy.finfo(numpy.float32).tiny)
    return float((distance / least).max(initial=0.0))


def _place(beyond: Any) -> str:
    """Return where the elements beyond their bound are: the one index, or the one channel.

    >>> import numpy
    >>> _place(numpy.array([[[False, False], [True, True]]]))
    'channel 1 of axis 1'
    """
    import numpy

    count = int(beyond.sum())
    if count == 0:
        return ""
    first = numpy.argwhere(beyond)[0]
    if count == 1:
        return f"[{', '.join(map(str, first))}]"
    for axis, size in enumerate(beyond.shape):
        if size > 1 and beyond.take(first[axis], axis).sum() == count:
            return f"channel {first[axis]} of axis {axis}"
    return ""


def _largest(values: Any) -> set[int]:
    import numpy

    return {int(index) for index in numpy.argsort(-values, kind="stable")[:_TOP]}
