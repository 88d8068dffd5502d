"""Pictures to tensors, in one stated order.

Decode, crop, rotate, resize, colour order, range, mean and scale, element type, layout. All up to
the colour order is done on bytes; range, mean and scale are done in float32, in just that order,
since algebraic variants change the last digit of half the values.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.tensor_tables import Crop, Tensor
from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from PIL.Image import Image

Array = Any


def image_tensor(picture: Path, tensor: Tensor, dims: tuple[int, ...], name: str) -> Array:
    """Return the array of one picture, of shape ``dims`` and of the tensor's element type.

    Raises PipelineError (TENSOR).
    """
    import numpy

    assert tensor.layout is not None
    assert tensor.resize is not None
    height, width = (dims[tensor.layout.index(axis)] for axis in "HW")
    pixels = decode(picture, grey=tensor.colour == "GRAY")
    pixels = cropped(pixels, tensor.crop, name)
    pixels = numpy.rot90(pixels, tensor.rotate // 90)
    pixels = resized(pixels, height, width, tensor.resize)
    if tensor.colour == "BGR":
        pixels = pixels[:, :, ::-1]
    values = typed(scaled(pixels, tensor), tensor.type, name)
    planes = values.transpose(2, 0, 1) if tensor.layout == "NCHW" else values
    return numpy.ascontiguousarray(planes[numpy.newaxis])


def decode(picture: Path, *, grey: bool) -> Array:
    """Return the pixels as bytes of shape height × width × channels: RGB, or one of grey.

    EXIF orientation is applied, a colour profile is not. What is transparent is laid on black.
    16-bit grey keeps its upper 8 bits. Grey of a colour picture is ITU-R 601 luma, as Pillow
    rounds it. Of an animation the first frame is taken.
    """
    import numpy
    from PIL import Image, ImageOps, UnidentifiedImageError

    def refuse(message: str, found: str = "", hint: str = "") -> PipelineError:
        return PipelineError(Code.TENSOR, message, where=str(picture), found=found, hint=hint)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(picture) as opened:
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                flat = _flat(upright, "L" if grey else "RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise refuse(
            "The picture has more pixels than are safe to decode.",
            hint=f"At most {Image.MAX_IMAGE_PIXELS} pixels are decoded; scale it down first.",
        ) from None
    except UnidentifiedImageError:
        raise refuse(
            "The file is not a picture that Pillow can read.",
            hint="JPEG, PNG, WebP, BMP, TIFF and GIF are read.",
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise refuse(
            "The picture is truncated or damaged.", str(error), "Fetch or export it again."
        ) from None
    if 0 in flat.size:
        raise refuse("The picture has no pixels.", f"{flat.width} x {flat.height}")
    pixels = numpy.asarray(flat)
    return pixels[:, :, numpy.newaxis] if grey else pixels


def _flat(image: Image, mode: str) -> Image:
    from PIL import Image as Pillow

    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256, "L").convert(mode)
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode} have no stated range")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        ground = Pillow.new("RGBA", coloured.size, (0, 0, 0, 255))
        return Pillow.alpha_composite(ground, coloured).convert(mode)
    return image.convert(mode)


def cropped(pixels: Array, crop: Crop | None, name: str) -> Array:
    """Return the rows and columns that are kept."""
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


def resized(pixels: Array, height: int, width: int, kernel: str) -> Array:
    """Return the pixels at another size, by a named kernel of OpenCV, on bytes.

    ``nearest`` is OpenCV's INTER_NEAREST_EXACT, which takes the pixel under the centre of each
    new one; INTER_NEAREST differs between versions of OpenCV.
    """
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


def scaled(pixels: Array, tensor: Tensor) -> Array:
    """Return the values in float32: ``x`` or ``x / 255``, then ``(x - mean) / scale``."""
    import numpy

    values = pixels.astype(numpy.float32)
    if tensor.range == "0-1":
        values = values / numpy.float32(255)
    if tensor.mean:
        values = values - numpy.array(tensor.mean, numpy.float32)
    if tensor.scale:
        values = values / numpy.array(tensor.scale, numpy.float32)
    return values


def typed(values: Array, kind: str, name: str) -> Array:
    """Return the values as the element type, rounded to the nearest even where it is narrower.

    Raises PipelineError (TENSOR) when one does not fit.
    """
    import numpy

    kinds = {"f16": "<f2", "f32": "<f4", "f64": "<f8", "u8": "u1", "i32": "<i4", "i64": "<i8"}
    with numpy.errstate(over="ignore"):
        made = values.astype(kinds[kind])
    if not numpy.isfinite(made).all():
        raise PipelineError(
            Code.TENSOR,
            f"A value does not fit into {kind}.",
            where=name,
            found=f"{numpy.abs(values).max():g}",
            hint="Use f32, or another mean and scale.",
        )
    return made
