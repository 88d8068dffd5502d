"""The part of a picture that becomes the tensor, brought to its size by a named kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.config.tensor_tables import Crop, Tensor
from pipeline.errors import Code, PipelineError

Array = Any
_PILLOW = {"pillow-bilinear": 2, "pillow-bicubic": 3, "pillow-lanczos": 1}


def cropped(pixels: Array, crop: Crop | None, name: str) -> Array:
    """Return the rows and columns that are kept; raises PipelineError (TENSOR)."""
    if crop is None:
        return pixels
    height, width = pixels.shape[:2]
    rows, columns = crop.rows or (0, height), crop.columns or (0, width)
    for (_, end), limit, key in ((rows, height, "rows"), (columns, width, "columns")):
        if end > limit:
            raise PipelineError(
                Code.TENSOR,
                f"The crop takes {key} that the picture does not have.",
                where=name,
                expected=f"at most {limit}",
                found=str(end),
                hint=f"The picture is {height} rows by {width} columns.",
            )
    return pixels[rows[0] : rows[1], columns[0] : columns[1]]


def fitted(pixels: Array, tensor: Tensor, height: int, width: int) -> Array:
    """Return the pixels at another size, as the tensor's ``fit`` says.

    ``stretch`` changes the aspect. ``centre`` keeps the largest part from the middle that has the
    aspect of the result; with ``shorter`` the picture is first resized so that its shorter side
    is that long, and the longer one ``int(shorter × long / short)``, and what is kept begins at
    ``round((side - kept) / 2)``: torchvision's Resize and CenterCrop. ``pad`` resizes so that the
    whole picture fits, the other side rounded half up, and fills what is left on both sides.
    """
    assert tensor.resize is not None
    if tensor.fit == "centre":
        if tensor.shorter is None:
            return resized(_of_aspect(pixels, height, width), height, width, tensor.resize)
        made = _shorter(pixels, tensor.shorter, tensor.resize)
        top, left = (
            round((side - kept) / 2.0)
            for side, kept in zip(made.shape, (height, width), strict=False)
        )
        return made[top : top + height, left : left + width]
    if tensor.fit == "pad":
        return _padded(pixels, tensor.padding or (0, 0, 0), height, width, tensor.resize)
    return resized(pixels, height, width, tensor.resize)


def resized(pixels: Array, height: int, width: int, kernel: str) -> Array:
    """Return the pixels at another size, by a named kernel of OpenCV or Pillow, on bytes.

    ``nearest`` is OpenCV's INTER_NEAREST_EXACT, which takes the pixel under the centre of each
    new one; INTER_NEAREST differs between versions of OpenCV. Pillow's kernels smooth what they
    make smaller, which OpenCV's do not but for its area.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if kernel in _PILLOW:
        return _by_pillow(pixels, height, width, _PILLOW[kernel])
    import cv2
    import numpy

    kernels = {
        "opencv-linear": cv2.INTER_LINEAR,
        "opencv-area": cv2.INTER_AREA,
        "opencv-cubic": cv2.INTER_CUBIC,
        "nearest": cv2.INTER_NEAREST_EXACT,
    }
    made = cv2.resize(
        numpy.ascontiguousarray(pixels), (width, height), interpolation=kernels[kernel]
    )
    return made.reshape(height, width, pixels.shape[2])


def _by_pillow(pixels: Array, height: int, width: int, kernel: int) -> Array:
    import numpy
    from PIL import Image

    plain = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    image = Image.fromarray(numpy.ascontiguousarray(plain))
    # Of RGBA Pillow would weigh the colours by how much they are seen.
    bands = [
        numpy.asarray(band.resize((width, height), Image.Resampling(kernel)))
        for band in image.split()
    ]
    return numpy.stack(bands, axis=2)


def _of_aspect(pixels: Array, height: int, width: int) -> Array:
    rows, columns = pixels.shape[:2]
    kept_columns = min(columns, max(1, round(rows * width / height)))
    kept_rows = min(rows, max(1, round(columns * height / width)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return pixels[top : top + kept_rows, left : left + kept_columns]


def _shorter(pixels: Array, length: int, kernel: str) -> Array:
    rows, columns = pixels.shape[:2]
    if rows <= columns:
        return resized(pixels, length, int(length * columns / rows), kernel)
    return resized(pixels, int(length * rows / columns), length, kernel)


def _padded(pixels: Array, colour: Sequence[int], height: int, width: int, kernel: str) -> Array:
    import numpy

    rows, columns = pixels.shape[:2]
    # The share of one side, rounded half up, in whole numbers.
    if columns * height <= rows * width:
        inner = height, max(1, (2 * columns * height + rows) // (2 * rows))
    else:
        inner = max(1, (2 * rows * width + columns) // (2 * columns)), width
    made = numpy.empty((height, width, pixels.shape[2]), numpy.uint8)
    made[:] = numpy.array(colour[: pixels.shape[2]], numpy.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    made[top : top + inner[0], left : left + inner[1]] = resized(pixels, *inner, kernel)
    return made
