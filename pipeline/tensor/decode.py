"""A picture's file to its pixels: orientation, colour profile, transparency, depth."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from PIL.Image import Image

Mode = Literal["L", "RGB", "RGBA"]


def decode(
    picture: Path,
    mode: Mode,
    *,
    background: Sequence[int] = (0, 0, 0),
    profile: bool = False,
    least: tuple[int, int] | None = None,
) -> Image:
    """Return the picture in ``mode``, with 8 bits a channel.

    EXIF orientation is applied. With ``profile`` the colours are those that its ICC profile means,
    in sRGB, else its numbers are taken as they are. What is transparent is laid on ``background``
    (red, green, blue), unless the mode keeps it. 16-bit grey keeps its upper 8 bits. Grey of a
    colour picture is ITU-R 601 luma, and colours of CMYK its inverse, as Pillow rounds them. Of an
    animation the first frame is taken. With ``least`` (height, width) a JPEG may come out smaller
    than it is, by a power of two, but no smaller than that.

    Raises PipelineError (TENSOR).
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    def refuse(message: str, found: str = "", hint: str = "") -> PipelineError:
        return PipelineError(Code.TENSOR, message, where=str(picture), found=found, hint=hint)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(picture) as opened:
                if least is not None:
                    # Turned pictures have their sides swapped; twice the longer does for both.
                    opened.draft(None, (max(least), max(least)))
                opened.load()
                # Not the function's own result, which copies a picture that lies upright.
                ImageOps.exif_transpose(opened, in_place=True)
                flat = _flat(_in_srgb(opened) if profile else opened, mode, background)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise refuse(
            "The picture has more pixels than are safe to decode.",
            hint=f"At most {Image.MAX_IMAGE_PIXELS} pixels are decoded; scale it down first.",
        ) from None
    except UnidentifiedImageError:
        raise refuse(
            "The file is not a picture that Pillow can read.",
            hint="JPEG, PNG, WebP, BMP, TIFF, GIF and, where Pillow has it, AVIF are read.",
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise refuse(
            "The picture is truncated or damaged.", str(error), "Fetch or export it again."
        ) from None
    if 0 in flat.size:
        raise refuse("The picture has no pixels.", f"{flat.width} x {flat.height}")
    return flat


def pixels_of(image: Image) -> Any:
    """Return a picture's bytes, of shape height × width × channels."""
    import numpy

    if image.mode == "RGB" and (held := _held(image)) is not None:
        import cv2

        return cv2.cvtColor(held, cv2.COLOR_RGBA2RGB)
    pixels = numpy.asarray(image)
    return pixels[:, :, numpy.newaxis] if pixels.ndim == 2 else pixels


def _held(image: Image) -> Any:
    """Return the memory of a coloured picture, whose fourth byte means nothing; None for several.

    Pillow's own way to an array copies it twice, and lets no other thread run meanwhile. Pictures
    of more than 4 megapixels lie in several blocks.
    """
    import nanoarrow
    import numpy

    try:
        held = nanoarrow.c_array(image).view().child(0).buffer(1)
    except ValueError:
        return None
    return numpy.asarray(held).reshape(image.height, image.width, 4)


def _in_srgb(image: Image) -> Image:
    from PIL import ImageCms

    held = image.info.get("icc_profile")
    if not held:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(held))
        mode = "RGB" if image.mode == "CMYK" else None
        turned = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError(f"its colour profile cannot be applied: {error}") from None
    assert turned is not None
    return turned


def _flat(image: Image, mode: Mode, background: Sequence[int]) -> Image:
    from PIL import Image as Pillow

    if image.mode == mode and not (image.has_transparency_data and mode != "RGBA"):
        return image
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256, "L").convert(mode)
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode} have no stated range")
    if image.has_transparency_data and mode != "RGBA":
        coloured = image.convert("RGBA")
        ground = Pillow.new("RGBA", coloured.size, (*background, 255))
        return Pillow.alpha_composite(ground, coloured).convert(mode)
    return image.convert(mode)
