"""Convert an image with an ICC profile to sRGB."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# The colour space of a profile, and Pillow's mode for it.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


class ProfileError(Exception):
    """A profile is damaged, or does not fit the image's mode."""


def in_srgb(image: Image) -> Image:
    """Return an image converted to sRGB; without a profile, return it unchanged.

    Palettes are resolved first, grey becomes RGB for an RGB profile, and transparency is kept.
    Raises ProfileError.
    """
    from PIL import ImageCms

    embedded = image.info.get("icc_profile")
    if not embedded:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        mode = _MODES.get(profile.profile.xcolor_space.strip(), "")
        coloured = image.convert("RGBA") if image.has_transparency_data else image
        if mode in ("RGB", "L"):
            # A grey profile does not define the colours of an RGB image.
            if mode == "L" and image.mode not in ("1", "L", "LA"):
                raise ValueError("a grey profile in a colour image")
            plain = coloured.convert(mode)
        elif mode == image.mode:
            plain = image
        else:
            raise ValueError(f"a profile of {mode or 'another kind'} in a {image.mode} image")
        turned: Any = ImageCms.profileToProfile(
            plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ProfileError(str(error)) from None
    if coloured.mode == "RGBA":
        turned.putalpha(coloured.getchannel("A"))
    found: Image = turned
    return found
