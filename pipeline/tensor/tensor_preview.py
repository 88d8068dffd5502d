"""Preview: convert a tensor back to an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.tensor.spec import TensorSpec

# Tolerance when guessing a range, as a share of it.
_SLACK = 0.02


def picture_of(values: Any, layout: str, spec: TensorSpec) -> Any:
    """Return the bytes of an image, height × width × channels, in RGB, RGBA or grey.

    The axes of ``values`` are those of ``layout``. If the spec has a range, the preprocessing is
    inverted: ``x * scale + mean``, then the range. Else, and after a mean image, values within 0 to
    255 are used as they are, values within 0 to 1 times 255, and all others are scaled from their
    minimum and maximum.
    """
    import numpy

    order = [axis for axis in layout if axis in "HWC"]
    lengths = [values.shape[layout.index(axis)] for axis in order]
    array = values.reshape(lengths)
    if "C" not in order:
        array, order = array[..., numpy.newaxis], [*order, "C"]
    pixels = array.transpose([order.index(axis) for axis in "HWC"])
    known = spec.range is not None and not spec.mean_image
    pixels = _denormalised(pixels, spec) if known else to_byte_range(pixels)
    if spec.colour == "BGR":
        pixels = pixels[:, :, ::-1]
    return numpy.clip(numpy.rint(pixels), 0, 255).astype(numpy.uint8)


def to_byte_range(values: Any) -> Any:
    """Scale values of an unknown range to 0 to 255."""
    import numpy

    finite = values[numpy.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low >= -_SLACK * 255 and 1 + _SLACK < high <= 255 * (1 + _SLACK):
        return numpy.nan_to_num(values)
    if low >= -_SLACK and high <= 1 + _SLACK:
        return numpy.nan_to_num(values) * 255
    spread = (high - low) or 1.0
    return (numpy.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / spread)


def _denormalised(pixels: Any, spec: TensorSpec) -> Any:
    import numpy

    def channels(numbers: Sequence[float]) -> Any:
        return numpy.array(numbers, numpy.float64)

    if spec.scale:
        pixels = pixels * channels(spec.scale)
    if spec.mean:
        pixels = pixels + channels(spec.mean)
    return pixels * 255 if spec.range == "0-1" else pixels
