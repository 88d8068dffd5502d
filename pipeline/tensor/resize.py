"""Crop, rotate, fit and resize an image to the size of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.config.tensor_tables import Crop, Tensor
from pipeline.errors import Code, PipelineError
from pipeline.tensor.decode_image import pixels_of, without_pixel_limit

if TYPE_CHECKING:
    from PIL.Image import Image

Array = Any
_PILLOW = {"pillow-bilinear": 2, "pillow-bicubic": 3, "pillow-lanczos": 1}


def cropped(image: Image, crop: Crop | None, name: str) -> Image:
    """Return the cropped image; raises PipelineError (TENSOR)."""
    if crop is None:
        return image
    width, height = image.size
    rows, columns = crop.rows or (0, height), crop.columns or (0, width)
    for (_, end), limit, key in ((rows, height, "rows"), (columns, width, "columns")):
        if end > limit:
            raise PipelineError(
                Code.TENSOR,
                f"The crop exceeds the image's {key}.",
                where=name,
                expected=f"at most {limit}",
                found=str(end),
                hint=f"The image has {height} rows and {width} columns.",
            )
    return _part(image, (columns[0], rows[0], columns[1], rows[1]))


def _part(image: Image, box: tuple[int, int, int, int]) -> Image:
    # Pillow applies its pixel limit to the part, too.
    with without_pixel_limit():
        return image.crop(box)


def rotated(image: Image, degrees: int) -> Image:
    """Rotate an image counter-clockwise by a multiple of 90 degrees, without resampling."""
    from PIL.Image import Transpose

    return image.transpose(Transpose[f"ROTATE_{degrees}"]) if degrees else image


def fitted(image: Image, tensor: Tensor, height: int, width: int) -> Array:
    """Resize an image to height × width × channels by the tensor's ``fit``.

    ``stretch`` changes the aspect ratio. ``centre`` takes the largest centre crop with the aspect
    ratio of the result; with ``shorter`` the image is first resized so that its shorter side has
    that length and the longer one ``int(shorter × long / short)``, and the crop starts at
    ``round((side - kept) / 2)``: torchvision's Resize and CenterCrop. ``pad`` resizes so that the
    whole image fits, the other side rounded half up, and fills both margins.
    """
    assert tensor.resize is not None
    if tensor.fit == "centre":
        if tensor.shorter is None:
            return resized(_of_aspect(image, height, width), height, width, tensor.resize)
        made = _shorter(image, tensor.shorter, tensor.resize)
        top, left = (
            round((side - kept) / 2.0)
            for side, kept in zip(made.shape, (height, width), strict=False)
        )
        return made[top : top + height, left : left + width]
    if tensor.fit == "pad":
        return _padded(image, tensor.padding or (0, 0, 0), height, width, tensor.resize)
    return resized(image, height, width, tensor.resize)


def resized(image: Image, height: int, width: int, kernel: str) -> Array:
    """Resize an image with a named kernel of OpenCV or Pillow, on bytes.

    ``nearest`` is OpenCV's INTER_NEAREST_EXACT, which takes the pixel at the centre of each new
    one; INTER_NEAREST differs between versions of OpenCV. When downscaling, Pillow's kernels
    antialias; of OpenCV's only area does.
    """
    if image.size == (width, height):
        return pixels_of(image)
    if kernel in _PILLOW:
        return _by_pillow(image, height, width, _PILLOW[kernel])
    import cv2

    kernels = {
        "opencv-linear": cv2.INTER_LINEAR,
        "opencv-area": cv2.INTER_AREA,
        "opencv-cubic": cv2.INTER_CUBIC,
        "nearest": cv2.INTER_NEAREST_EXACT,
    }
    made = cv2.resize(pixels_of(image), (width, height), interpolation=kernels[kernel])
    return made.reshape(height, width, -1)


def _by_pillow(image: Image, height: int, width: int, kernel: int) -> Array:
    import numpy
    from PIL.Image import Resampling

    size, how = (width, height), Resampling(kernel)
    if image.mode != "RGBA":
        return pixels_of(image.resize(size, how))
    # Pillow premultiplies RGBA by alpha: resize the bands separately.
    bands = [numpy.asarray(band.resize(size, how)) for band in image.split()]
    return numpy.stack(bands, axis=2)


def _of_aspect(image: Image, height: int, width: int) -> Image:
    columns, rows = image.size
    kept_columns = min(columns, max(1, round(rows * width / height)))
    kept_rows = min(rows, max(1, round(columns * height / width)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return _part(image, (left, top, left + kept_columns, top + kept_rows))


def _shorter(image: Image, length: int, kernel: str) -> Array:
    columns, rows = image.size
    if rows <= columns:
        return resized(image, length, int(length * columns / rows), kernel)
    return resized(image, int(length * rows / columns), length, kernel)


def _padded(image: Image, colour: Sequence[int], height: int, width: int, kernel: str) -> Array:
    import numpy
    from PIL import Image as Pillow

    columns, rows = image.size
    # The scaled other side, rounded half up, in integers.
    if columns * height <= rows * width:
        inner = height, max(1, (2 * columns * height + rows) // (2 * rows))
    else:
        inner = max(1, (2 * rows * width + columns) // (2 * columns)), width
    whole = resized(image, *inner, kernel)
    made = numpy.empty((height, width, whole.shape[2]), numpy.uint8)
    # Converted to luma for grey, opaque for RGBA.
    made[:] = pixels_of(Pillow.new("RGB", (1, 1), tuple(colour)).convert(image.mode))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    made[top : top + inner[0], left : left + inner[1]] = whole
    return made
