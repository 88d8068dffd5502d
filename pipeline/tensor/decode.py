"""A picture's file to its pixels: orientation, colour profile, transparency, depth."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import Code, PipelineError
from pipeline.tensor.profile import ProfileError, in_srgb

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
    """Return the picture in ``mode``, with 8 bits a channel.

    EXIF orientation is applied. With ``profile`` the colours are those that its ICC profile means,
    in sRGB, else its numbers are taken as they are. What is transparent is laid on ``background``
    (red, green, blue), unless the mode keeps it. 16-bit grey keeps its upper 8 bits. Grey of a
    colour picture is ITU-R 601 luma, and colours of CMYK its inverse, as Pillow rounds them. Of an
    animation the first frame is taken. With ``least`` (height, width) a JPEG may come out smaller
    than it is, by a power of two, but no smaller than that. A picture of more than ``pixels``
    pixels, or than Pillow's limit, is not decoded.

    Raises PipelineError (TENSOR).
    """
    from PIL import ImageOps, UnidentifiedImageError
    from PIL.Image import DecompressionBombError

    def refuse(message: str, found: str = "", hint: str = "") -> PipelineError:
        return PipelineError(Code.TENSOR, message, where=str(picture), found=found, hint=hint)

    try:
        opened, limit = _opened(picture)
        with opened:
            count, most = opened.width * opened.height, pixels or limit
            if most is not None and count > most:
                raise refuse(
                    "The picture has more pixels than are safe to decode.",
                    f"{opened.width} x {opened.height}, which is {count}",
                    f"At most {most} are decoded; pixels = {count} allows it, as does --pixels.",
                )
            if least is not None:
                # Turned pictures have their sides swapped; twice the longer does for both.
                opened.draft(None, (max(least), max(least)))
            with unlimited() if pixels is not None else nullcontext():
                opened.load()
            # Not the function's own result, which copies a picture that lies upright.
            ImageOps.exif_transpose(opened, in_place=True)
            deep = opened.mode.startswith("I;16")
            shallow = _eight_bits(opened) if deep else opened
            flat = _flat(in_srgb(shallow) if profile else shallow, mode, background)
    except DecompressionBombError as error:
        # Of a part that is larger than the whole.
        raise refuse("The picture is truncated or damaged.", str(error)) from None
    except UnidentifiedImageError:
        raise refuse(
            "The file is not a picture that Pillow can read.",
            _begin(picture),
            hint="JPEG, PNG, WebP, BMP, TIFF, GIF and, where Pillow has it, AVIF are read.",
        ) from None
    except ProfileError as error:
        raise refuse(
            "The picture's colour profile cannot be applied.",
            str(error),
            'profile = "ignore" takes its numbers as they are.',
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise refuse(
            "The picture is truncated or damaged.", str(error), "Fetch or export it again."
        ) from None
    if 0 in flat.size:
        raise refuse("The picture has no pixels.", f"{flat.width} x {flat.height}")
    return flat


def _begin(picture: Path) -> str:
    with picture.open("rb") as stream:
        return f"a file that begins with {data!r}" if (data := stream.read(12)) else "an empty file"


@contextmanager
def unlimited() -> Iterator[int | None]:
    """Yield Pillow's limit of pixels, which does not hold in the block: one thread is in it.

    Pillow warns where a picture has more, and fails where it has twice as many. The limit is one
    for the whole process, so it is never changed, but looked at in its place.
    """
    from PIL import Image

    with _guard:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield limit
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _opened(picture: Path) -> tuple[ImageFile, int | None]:
    """Return a picture of which no more than its head has been read, and Pillow's limit."""
    from PIL import Image

    with unlimited() as limit:
        return Image.open(picture), limit


def pixels_of(image: Image) -> Any:
    """Return a picture's bytes, of shape height × width × channels."""
    import numpy

    if image.mode == "RGB" and (pixels := _pixels_of_rgb(image)) is not None:
        return pixels
    pixels = numpy.asarray(image)
    return pixels[:, :, numpy.newaxis] if pixels.ndim == 2 else pixels


def _pixels_of_rgb(image: Image) -> Any:
    """Return a coloured picture's bytes, or None where its memory cannot be looked into.

    Pillow's own way to an array copies it twice, and lets no other thread run meanwhile.
    """
    import cv2
    import numpy
    from PIL.Image import core  # type: ignore[attr-defined] # typed as private

    if (held := _held(image)) is not None:
        return cv2.cvtColor(held, cv2.COLOR_RGBA2RGB)
    # Pictures of more than 4 megapixels lie in several blocks, which cannot be looked into.
    rows = core.get_block_size() // (4 * image.width) - 1
    if rows < 1:
        return None
    pixels = numpy.empty((image.height, image.width, 3), numpy.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image.crop((0, top, image.width, bottom))
        held = _held(strip)
        if held is None:
            return None
        cv2.cvtColor(held, cv2.COLOR_RGBA2RGB, dst=pixels[top:bottom])
    return pixels


def _held(image: Image) -> Any:
    """Return the memory of a coloured picture, four bytes a pixel; None where that is several.

    It is there as long as the picture.
    """
    import nanoarrow
    import numpy

    try:
        held = nanoarrow.c_array(image).view().child(0).buffer(1)
    except ValueError:
        return None
    return numpy.asarray(held).reshape(image.height, image.width, 4)


def _flat(image: Image, mode: Mode, background: Sequence[int]) -> Image:
    from PIL import Image as Pillow

    if image.mode == mode and not (image.has_transparency_data and mode != "RGBA"):
        return image
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode} have no stated range")
    if image.has_transparency_data and mode != "RGBA":
        coloured = image.convert("RGBA")
        ground = Pillow.new("RGBA", coloured.size, (*background, 255))
        return Pillow.alpha_composite(ground, coloured).convert(mode)
    return image.convert(mode)


def _eight_bits(image: Image) -> Image:
    """Return 16-bit grey as its upper 8 bits, with transparency where a PNG declares a value so."""
    import numpy
    from PIL import Image as Pillow

    values = numpy.asarray(image)
    made = Pillow.fromarray((values >> 8).astype(numpy.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        made.putalpha(Pillow.fromarray(numpy.where(values == clear, 0, 255).astype(numpy.uint8)))
    made.info = {key: held for key, held in image.info.items() if key != "transparency"}
    return made
