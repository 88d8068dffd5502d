"""Decode an image file: orientation, colour profile, transparency, bit depth."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import Code, PipelineError
from pipeline.tensor.bit_depth import DepthError, eight_bits
from pipeline.tensor.icc_profile import ProfileError, in_srgb
from pipeline.tensor.png_transparency import apply_png_key, read_png_key

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

Mode = Literal["L", "RGB", "RGBA"]
_guard = threading.RLock()


def decode(
    picture: Path,
    mode: Mode,
    *,
    background: Sequence[int] = (0, 0, 0),
    profile: bool = False,
    least: tuple[int, int] | None = None,
    pixels: int | None = None,
) -> Image:
    """Return the image in ``mode``, with 8 bits per channel.

    EXIF orientation is applied. With ``profile``, colours are converted from the ICC profile to
    sRGB, else the profile is ignored. Transparency is blended with ``background`` (red, green,
    blue), unless the mode keeps it. 16-bit grey keeps its upper 8 bits, and
    of floating-point grey 0 is black and 1 white. Colour becomes grey as
    ITU-R 601 luma, and CMYK becomes RGB by inversion, as Pillow rounds them. An animation yields
    its first frame. With ``least`` (height, width) a JPEG may be decoded at a size reduced by a
    power of two, but not below that. An image of more than ``pixels`` pixels, or of more than
    Pillow's limit, is refused.

    Raises PipelineError (TENSOR).
    """
    from PIL import UnidentifiedImageError
    from PIL.Image import DecompressionBombError

    def refuse(message: str, found: str = "", hint: str = "") -> PipelineError:
        return PipelineError(Code.TENSOR, message, where=str(picture), found=found, hint=hint)

    try:
        opened, limit = _opened(picture)
        with opened:
            count, most = opened.width * opened.height, pixels or limit
            if most is not None and count > most:
                raise refuse(
                    "The image has too many pixels.",
                    f"{opened.width} x {opened.height} = {count}",
                    f"The limit is {most}: raise it with pixels = {count} or --pixels.",
                )
            if least is not None:
                # EXIF rotation swaps the sides: the longer one covers both.
                opened.draft(None, (max(least), max(least)))
            clear = read_png_key(opened)
            with without_pixel_limit() if pixels is not None else nullcontext():
                opened.load()
                keyed = apply_png_key(opened, clear, picture)
            turned = _upright(keyed)
            shallow = eight_bits(turned, opened.format)
            flat = _flat(in_srgb(shallow) if profile else shallow, mode, background)
    except DecompressionBombError as error:
        # Raised for a tile larger than the image.
        raise refuse("The image is truncated or damaged.", str(error)) from None
    except UnidentifiedImageError:
        raise refuse(
            "The file is not an image that Pillow can read.",
            _begin(picture),
            hint="Use JPEG, PNG, WebP, BMP, TIFF, GIF or, if Pillow supports it, AVIF.",
        ) from None
    except DepthError as error:
        raise refuse(
            "The image has no range of values that means black to white.",
            str(error),
            "Export it with 8 or 16 bits per channel, or as floating-point grey from 0 to 1.",
        ) from None
    except ProfileError as error:
        raise refuse(
            "The image's colour profile cannot be applied.",
            str(error),
            'Set profile = "ignore" to skip it.',
        ) from None
    except PipelineError:
        raise
    except Exception as error:  # Pillow's plugins raise any type for what they do not know
        raise refuse(
            "The image is truncated or damaged.",
            str(error) or type(error).__name__,
            "Download or export it again.",
        ) from None
    if 0 in flat.size:
        raise refuse("The image has no pixels.", f"{flat.width} x {flat.height}")
    return flat


def _begin(picture: Path) -> str:
    with picture.open("rb") as stream:
        return f"a file that starts with {data!r}" if (data := stream.read(12)) else "an empty file"


@contextmanager
def without_pixel_limit() -> Iterator[int | None]:
    """Disable Pillow's pixel limit in the block and yield it; one thread at a time.

    Pillow warns above the limit and fails above twice the limit. The limit is global to the
    process, so callers compare against the yielded value themselves.
    """
    from PIL import Image

    with _guard:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield limit
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _opened(picture: Path) -> tuple[ImageFile, int | None]:
    """Open an image, reading only its header; also return Pillow's pixel limit."""
    from PIL import Image

    with without_pixel_limit() as limit:
        return Image.open(picture), limit


def pixels_of(image: Image) -> Any:
    """Return an image's bytes, of shape height × width × channels."""
    import numpy

    if image.mode == "RGB" and (pixels := _pixels_of_rgb(image)) is not None:
        return pixels
    pixels = numpy.asarray(image)
    return pixels[:, :, numpy.newaxis] if pixels.ndim == 2 else pixels


def _pixels_of_rgb(image: Image) -> Any:
    """Return an RGB image's bytes, or None if its memory cannot be viewed.

    numpy.asarray copies the image twice and holds the GIL meanwhile.
    """
    import cv2
    import numpy
    from PIL.Image import core  # type: ignore[attr-defined] # typed as private

    if (raw := _arrow_pixels(image)) is not None:
        return cv2.cvtColor(raw, cv2.COLOR_RGBA2RGB)
    # Images of more than 4 megapixels are stored in several blocks, which cannot be viewed.
    rows = core.get_block_size() // (4 * image.width) - 1
    if rows < 1:
        return None
    pixels = numpy.empty((image.height, image.width, 3), numpy.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image.crop((0, top, image.width, bottom))
        raw = _arrow_pixels(strip)
        if raw is None:
            return None
        cv2.cvtColor(raw, cv2.COLOR_RGBA2RGB, dst=pixels[top:bottom])
    return pixels


def _arrow_pixels(image: Image) -> Any:
    """Return a view of an RGB image's memory, four bytes per pixel; None if it has several blocks.

    The view is valid as long as the image.
    """
    import nanoarrow
    import numpy

    try:
        buffer = nanoarrow.c_array(image).view().child(0).buffer(1)
    except ValueError:
        return None
    return numpy.asarray(buffer).reshape(image.height, image.width, 4)


def _flat(image: Image, mode: Mode, background: Sequence[int]) -> Image:
    from PIL import Image as Pillow

    if image.mode == mode and not (image.has_transparency_data and mode != "RGBA"):
        return image
    if image.has_transparency_data and mode != "RGBA":
        coloured = image.convert("RGBA")
        ground = Pillow.new("RGBA", coloured.size, (*background, 255))
        return Pillow.alpha_composite(ground, coloured).convert(mode)
    return image.convert(mode)


def _upright(image: Image) -> Image:
    """Return the image turned as its EXIF orientation says; other tags are not looked at."""
    from PIL import ExifTags
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)
