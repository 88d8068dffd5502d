"""The transparent grey or colour of a PNG, which Pillow compares with values of another depth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

# Pillow's raw modes of grey with 2 and 4 bits, whose values it spreads over 0 to 255.
_SPREAD = {"L;2": 3, "L;4": 15}
# RGB with 16 bits, of which Pillow keeps the upper 8, and the mode that keeps the lower 8.
_DEEP, _LOWER = "RGB;16B", "RGB;16L"


@dataclass(frozen=True)
class PngKey:
    """A transparent grey or colour in the values of the file, and Pillow's raw mode of them."""

    value: Any
    rawmode: str


def read_png_key(opened: ImageFile) -> PngKey | None:
    """Return the key (chunk tRNS) that Pillow does not apply, before it loads the image, or None.

    Source: PNG specification, 11.3.1.1: all bits of the samples are compared.
    """
    key = opened.info.get("transparency")
    if opened.format != "PNG" or key is None or len(opened.tile) != 1:
        return None
    rawmode = opened.tile[0].args
    if not isinstance(rawmode, str) or rawmode not in (*_SPREAD, _DEEP):
        return None
    return PngKey(key, rawmode)


def apply_png_key(loaded: ImageFile, key: PngKey | None, picture: Path) -> Image:
    """Return the loaded image with its key in Pillow's own values, or as alpha."""
    if key is None:
        return loaded
    if key.rawmode in _SPREAD:
        most = _SPREAD[key.rawmode]
        loaded.info["transparency"] = (int(key.value) & most) * (255 // most)
        return loaded
    import numpy
    from PIL import Image as Pillow

    with Pillow.open(picture) as again:
        again.tile = [again.tile[0]._replace(args=_LOWER)]
        lower = numpy.asarray(again, numpy.uint16)
    values = numpy.asarray(loaded, numpy.uint16) << 8 | lower
    clear = (values == numpy.array(key.value, numpy.uint16)).all(axis=2)
    made = loaded.convert("RGB")
    del made.info["transparency"]
    made.putalpha(Pillow.fromarray(numpy.where(clear, 0, 255).astype(numpy.uint8)))
    return made
