"""Image preprocessing: convert an image to a tensor.

Order: decode, crop, rotate, resize, colour order, mean image, layout, range, mean and scale,
element type. All before the mean image or the range is done on bytes; those, mean and scale in
float32, in exactly this order, since algebraically equal variants change the last digit of half the
values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config.tensor_tables import Tensor
from pipeline.errors import Code, PipelineError
from pipeline.tensor.decode_image import Mode, decode
from pipeline.tensor.element_values import as_type
from pipeline.tensor.resize import cropped, fitted, rotated

Array = Any
_MODES: dict[str | None, Mode] = {"GRAY": "L", "RGBA": "RGBA"}
# Minimum size of a fast-decoded image as a multiple of the tensor's, so that resizing smooths.
_SPARE = 2


def image_tensor(
    picture: Path, tensor: Tensor, dims: tuple[int, ...], name: str, mean: Array = None
) -> Array:
    """Return the array of one image, of shape ``dims`` and the tensor's element type.

    With a ``mean`` image (rows × columns × channels), the picture is fitted to the size of that,
    and their centres are used, as in Caffe's data layer. Raises PipelineError (TENSOR).
    """
    import numpy

    assert tensor.layout is not None
    height, width = (dims[tensor.layout.index(axis)] for axis in "HW")
    rows, columns = (height, width) if mean is None else mean.shape[:2]
    least = None
    if tensor.decode == "fast":
        least = (
            _SPARE * max(rows, tensor.shorter or 0),
            _SPARE * max(columns, tensor.shorter or 0),
        )
    image = decode(
        picture,
        _MODES.get(tensor.colour, "RGB"),
        background=tensor.background or (0, 0, 0),
        profile=tensor.profile == "apply",
        least=least,
        pixels=tensor.pixels,
    )
    image = rotated(cropped(image, tensor.crop, name), tensor.rotate)
    pixels = fitted(image, tensor, rows, columns)
    if tensor.colour == "BGR":
        pixels = pixels[:, :, ::-1]
    if mean is not None:
        pixels = _less(pixels, mean, height, width)
    # Transpose while the values are bytes, which is fastest.
    values = numpy.ascontiguousarray(to_layout(pixels, tensor.layout).reshape(dims))
    return to_element_type(normalised(values, tensor, tensor.layout), tensor.type, name)


def _less(pixels: Array, mean: Array, height: int, width: int) -> Array:
    """Return the centre of the pixels minus that of a mean image, in float32."""
    import numpy

    top, left = (
        (side - kept) // 2 for side, kept in zip(mean.shape, (height, width), strict=False)
    )
    centre = slice(top, top + height), slice(left, left + width)
    values = pixels[centre].astype(numpy.float32)
    # Rounded once, whatever type the mean has.
    values -= mean[centre]
    return values


def to_layout(values: Array, layout: str) -> Array:
    """Transpose height × width × channels to ``layout``, ignoring its N and D.

    >>> import numpy
    >>> to_layout(numpy.zeros((2, 3, 4)), "NCHW").shape
    (4, 2, 3)
    """
    order = [axis for axis in layout if axis in "HWC"]
    if "C" not in order:
        values = values[:, :, 0]
    return values.transpose(["HWC".index(axis) for axis in order])


def normalised(values: Array, tensor: Tensor, layout: str) -> Array:
    """Return the values in float32: ``x`` or ``x / 255``, then ``(x - mean) / scale``.

    The axes are those of ``layout``; mean and scale apply along C.
    """
    import numpy

    def channels(numbers: tuple[float, ...]) -> Array:
        shape = [-1 if axis == "C" else 1 for axis in layout]
        return numpy.array(numbers, numpy.float32).reshape(shape)

    values = values.astype(numpy.float32)
    if tensor.range == "0-1":
        values /= numpy.float32(255)
    if tensor.mean:
        values -= channels(tensor.mean)
    if tensor.scale:
        values /= channels(tensor.scale)
    return values


def to_element_type(values: Array, kind: str, name: str) -> Array:
    """Return the values as the element type, rounded to nearest, ties to even.

    Raises PipelineError (TENSOR) when a value is out of range.
    """
    import numpy

    made, fits = as_type(values, kind)
    if not fits:
        raise PipelineError(
            Code.TENSOR,
            f"A value is out of range for {kind}.",
            where=name,
            found=f"{numpy.abs(values).max():g}",
            hint="Use f32, or another mean and scale.",
        )
    return made
