"""Grey of more than 8 bits as grey of 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


class DepthError(ValueError):
    """No range of values is known; says what was found."""


def eight_bits(image: Image, file_format: str | None) -> Image:
    """Return an image whose channels have 8 bits; others than deep grey as they are.

    16-bit grey keeps its upper 8 bits, and the transparent value of a PNG becomes alpha. Of
    floating-point grey, 0 is black and 1 white, as in TIFF files of photo editors.

    Raises DepthError for 32-bit integers, and for floating-point values outside of 0 to 1.
    """
    if image.mode.startswith("I;16") or (image.mode, file_format) == ("I", "PPM"):
        return _of_integers(image)
    if image.mode == "F":
        return _of_floats(image)
    if image.mode == "I":
        raise DepthError("32-bit integers")
    return image


def _of_integers(image: Image) -> Image:
    import numpy
    from PIL import Image as Pillow

    values = numpy.asarray(image)
    made = Pillow.fromarray((values >> 8).astype(numpy.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        made.putalpha(Pillow.fromarray(numpy.where(values == clear, 0, 255).astype(numpy.uint8)))
    made.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return made


def _of_floats(image: Image) -> Image:
    import numpy
    from PIL import Image as Pillow

    values = numpy.asarray(image)
    # NaN compares as false.
    if not ((values >= 0) & (values <= 1)).all():
        raise DepthError(f"floating-point values from {values.min():g} to {values.max():g}")
    made = Pillow.fromarray(numpy.rint(values * numpy.float32(255)).astype(numpy.uint8))
    made.info = dict(image.info)
    return made
