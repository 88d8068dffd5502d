"""The noise floor: how far a source model's outputs move when only rounding changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

DRAWS = 4
# Single draws of a quantised network lie far apart.
_DRAWS_OF_QUANTA = 8
_SEED = 1
# In units in the last place of float32.
_BF16_ULP = 1 << 16
# Rounding to whole steps has the variance 1/12: of so many elements one moves by a whole step.
_ONE_IN = 12
# The noise of elements up to this many times larger may be that of an element too.
_REACH = 4.0


def moved(
    inputs: Mapping[str, Any], *, quantised: bool, bf16: bool = False
) -> list[dict[str, Any]]:
    """Return sets of inputs that differ from the given ones by rounding alone: four, or eight.

    Every element of a floating-point array moves by one unit in the last place of float32, or of
    its own type where that is coarser, up or down at random; a zero stays, as do whole numbers. Of
    a ``quantised`` network one element in twelve moves by one quantum: 1 of a byte, and 1/255 of
    the range of anything that is quantised inside; of one that rounds to ``bf16`` inside, elements
    move by a unit in the last place of that. The seed is fixed.
    """
    import numpy

    generator = numpy.random.default_rng(_SEED)
    move = _by_quantum if quantised else partial(_by_ulp, wide=_BF16_ULP if bf16 else 1)
    draws = draws_of(quantised=quantised)
    return [{name: move(a, generator) for name, a in inputs.items()} for _ in range(draws)]


def draws_of(*, quantised: bool) -> int:
    """Return how many sets ``moved`` returns."""
    return _DRAWS_OF_QUANTA if quantised else DRAWS


def quantum_of(values: Any) -> float:
    """Return a step of floats that are quantised inside: 1/255 of their range, which includes 0.

    >>> import numpy
    >>> quantum_of(numpy.array([255.0])), quantum_of(numpy.array([-255.0, 255.0]))
    (1.0, 2.0)
    """
    return float(values.max(initial=0.0) - values.min(initial=0.0)) / 255


def _by_ulp(array: Any, generator: Any, wide: int) -> Any:
    import numpy

    if array.dtype.kind != "f":
        return array
    kind = numpy.float32 if array.dtype.itemsize > 4 else array.dtype
    with numpy.errstate(over="ignore", invalid="ignore"):
        ulp = wide * numpy.spacing(numpy.abs(array.astype(kind))).astype(array.dtype)
        there = array + numpy.where(generator.random(array.shape) < 0.5, -ulp, ulp)
    return numpy.where((array == 0) | ~numpy.isfinite(there), array, there).astype(array.dtype)


def _by_quantum(array: Any, generator: Any) -> Any:
    import numpy

    if array.dtype.kind != "f" and array.dtype.itemsize > 1:
        return array
    values = array.astype(numpy.float64)
    low, high = values.min(initial=0.0), values.max(initial=0.0)
    # Pixels that the IR takes as bytes may be fed as floats: theirs are whole numbers too.
    bytes_ = array.dtype.kind in "iu" or (high <= 255 and (values == numpy.rint(values)).all())
    quantum = 1.0 if bytes_ else quantum_of(values)
    steps = generator.choice([-quantum, quantum], array.shape)
    steps[generator.random(array.shape) >= 1 / _ONE_IN] = 0.0
    return numpy.clip(values + steps, low, high).astype(array.dtype)


def noise_floor(answer: Any, others: Sequence[Any]) -> Any:
    """Return the noise floor of each element of a float64 ``answer``, which is one-dimensional.

    It is the largest movement of the ``others`` at the element itself, at any element that is at
    most four times as large, and in the root mean square over the output. Single draws leave many
    elements where they were by chance, so one element's own movement says too little; the bound on
    the size keeps large elements from speaking for small ones.
    """
    import numpy

    movement = numpy.zeros_like(answer)
    for other in others:
        there = other.astype(numpy.float64).ravel()
        if there.shape == answer.shape:
            distance = numpy.abs(there - answer)
            movement = numpy.fmax(movement, numpy.where(numpy.isfinite(distance), distance, 0.0))
    if not movement.any():
        return movement
    size = numpy.abs(answer)
    order = numpy.argsort(size, kind="stable")
    highest = numpy.maximum.accumulate(movement[order])
    last = numpy.searchsorted(size[order], _REACH * size, side="right") - 1
    return numpy.maximum(highest[last], numpy.sqrt(numpy.mean(numpy.square(movement))))
