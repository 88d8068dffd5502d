"""Convert floating-point values to an element type, and back."""

from __future__ import annotations

from typing import Any

from pipeline.element_types import ELEMENT_TYPES


def as_type(values: Any, kind: str) -> tuple[Any, bool]:
    """Convert numbers to an element type; also return whether all are in range.

    Floats are rounded to nearest, ties to even; integers are truncated. bf16 is the upper half of
    a float32 (the format's definition), so its array is of u16.

    >>> import numpy
    >>> as_type(numpy.array([1.0, -2.5]), "bf16")[0].tolist() == [0x3F80, 0xC020]
    True
    """
    import numpy

    if kind == "bf16":
        return _bf16(values)
    dtype = numpy.dtype(ELEMENT_TYPES[kind].dtype)
    if dtype.kind in "iu":
        limits = numpy.iinfo(dtype)
        if values.dtype.kind in "iu":
            fits = bool(((values >= limits.min) & (values <= limits.max)).all())
            return values.astype(dtype), fits
        whole = numpy.trunc(values)
        # The largest i64 is not representable as float64, but the next power of two is.
        fits = bool(((whole >= limits.min) & (whole < float(limits.max) + 1)).all())
        with numpy.errstate(invalid="ignore"):
            return values.astype(dtype), fits
    with numpy.errstate(over="ignore"):
        made = values.astype(dtype, copy=False)
    return made, bool(numpy.isfinite(made).all())


def changed_numbers(values: Any, made: Any, kind: str) -> Any:
    """Return the first number that ``as_type`` changed though a type of its kind holds it, or None.

    Fractions that became integers count, and integers that a floating-point type rounded; a
    fraction that was rounded to another does not.

    >>> import numpy
    >>> float(changed_numbers(numpy.array([1.0, 0.5]), numpy.array([1, 0], "u1"), "u8"))
    0.5
    """
    import numpy

    floating = values.dtype.kind == "f"
    if floating == (made.dtype.kind == "f" or kind == "bf16"):
        return None
    # From floats, compare with floats; from integers with integers, which are exact.
    back = made if floating else as_floats(made, kind)
    with numpy.errstate(invalid="ignore"):
        different = back.astype(values.dtype) != values
    return values[different].flat[0] if different.any() else None


def as_floats(array: Any, kind: str) -> Any:
    """Return the elements of a tensor as float32, or as float64 for f64, i32 and i64."""
    import numpy

    if kind == "bf16":
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return array.astype(numpy.float64 if kind in ("f64", "i32", "i64") else numpy.float32)


def _bf16(values: Any) -> tuple[Any, bool]:
    import numpy

    with numpy.errstate(over="ignore"):
        bits = numpy.ascontiguousarray(values, numpy.float32).view(numpy.uint32)
    finite = numpy.isfinite(values).all()
    # Add half of the last kept digit, minus one if that digit is even: ties go to even.
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    fits = finite and not ((rounded & 0x7F80) == 0x7F80).any()
    return rounded.astype(numpy.uint16), bool(fits)
