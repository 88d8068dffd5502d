"""The colours that a picture's ICC profile means, in sRGB."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# What a profile is about, and the mode that its numbers are in.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


class ProfileError(Exception):
    """A profile is damaged, or about other numbers than the picture has."""


def in_srgb(image: Image) -> Image:
    """Return a picture's colours in sRGB; it is given back as it is where it has no profile.

    A palette is looked up first, grey is taken for red, green and blue where the profile is about
    those, and what is transparent stays so. Raises ProfileError.
    """
    from PIL import ImageCms

    held = image.info.get("icc_profile")
    if not held:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(held))
        mode = _MODES.get(profile.profile.xcolor_space.strip(), "")
        coloured = image.convert("RGBA") if image.has_transparency_data else image
        if mode in ("RGB", "L"):
            # Of an RGB picture and a profile of grey, or the other way round, nobody knows more.
            if mode == "L" and image.mode not in ("1", "L", "LA"):
                raise ValueError("it is a profile of grey, and the picture has colours")
            plain = coloured.convert(mode)
        elif mode == image.mode:
            plain = image
        else:
            raise ValueError(f"it is a profile of {mode or 'another kind'}, not of {image.mode}")
        turned: Any = ImageCms.profileToProfile(
            plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ProfileError(str(error)) from None
    if coloured.mode == "RGBA":
        turned.putalpha(coloured.getchannel("A"))
    found: Image = turned
    return found
