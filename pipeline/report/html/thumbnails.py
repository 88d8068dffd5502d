"""Render arrays as small images and plots."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.report.html.drawings import Plot, Thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

    from pipeline.verify.detections import Box

# The longer side in pixels, and its size on a page with very many images.
_LARGE = 320
_SMALL = 104
_FLAT = 64
_COLUMNS = 160
_ROLL = (320, 160)


def webp(image: Image) -> Thumbnail:
    """Return an image scaled down to fit; a smaller one is unchanged."""
    large = _fitted(image, _LARGE)
    return Thumbnail(
        large=_encoded(large, 78),
        small=_encoded(_fitted(image, _SMALL), 45),
        width=large.width,
        height=large.height,
    )


def as_plot(values: Any) -> Plot:
    """Return a flat array as columns with the minimum and maximum of each; NaN counts as 0."""
    import numpy

    flat = numpy.nan_to_num(values.ravel().astype(numpy.float64), posinf=0, neginf=0)
    low, high = float(flat.min()), float(flat.max())
    parts = numpy.array_split(flat, min(_COLUMNS, flat.size))
    spread = (high - low) or 1.0
    return Plot(
        columns=tuple(
            (
                round(float((part.min() - low) / spread), 3),
                round(float((part.max() - low) / spread), 3),
            )
            for part in parts
        ),
        low=low,
        high=high,
    )


def roll_picture(values: Any) -> Thumbnail:
    """Return a matrix as a piano roll: first axis to the right, second upwards."""
    import cv2
    from PIL import Image

    grey = _bytes(_pooled(values.T[::-1], _ROLL[1], _ROLL[0]))
    colours = cv2.applyColorMap(grey, cv2.COLORMAP_MAGMA)[:, :, ::-1]
    return webp(Image.fromarray(colours))


def mask_picture(values: Any, pixels: Any) -> Thumbnail:
    """Return a matrix overlaid on an RGB image of any size; brighter is higher."""
    import cv2
    import numpy
    from PIL import Image

    height, width = pixels.shape[:2]
    mask = cv2.resize(_bytes(values), (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(mask, cv2.COLORMAP_MAGMA)[:, :, ::-1].astype(numpy.float32)
    grey = pixels.astype(numpy.float32).mean(axis=2, keepdims=True) * 0.35
    share = (mask.astype(numpy.float32) / 255)[:, :, numpy.newaxis] * 0.85
    mixed = grey * (1 - share) + colours * share
    return webp(Image.fromarray(mixed.astype(numpy.uint8)))


def classes_picture(classes: Any, pixels: Any) -> Thumbnail:
    """Return the class at each position, height × width, as hues over an RGB image."""
    import cv2
    import numpy
    from PIL import Image

    height, width = pixels.shape[:2]
    wanted = classes.astype(numpy.int64)
    colours = numpy.array([_colour(each) for each in range(256)], numpy.float32)[wanted % 256]
    colours[wanted == 0] = 40
    over = cv2.resize(colours, (width, height), interpolation=cv2.INTER_NEAREST)
    grey = pixels.astype(numpy.float32).mean(axis=2, keepdims=True)
    return webp(Image.fromarray((grey * 0.35 + over * 0.65).astype(numpy.uint8)))


def boxes_picture(boxes: Sequence[Box], names: Sequence[str], pixels: Any) -> Thumbnail:
    """Return boxes over an RGB image, each with its class and score."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels.astype("uint8"))
    longer = max(image.size)
    scale = _LARGE / longer
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    drawing, font = ImageDraw.Draw(image), ImageFont.load_default(11)
    # The best come last, over the others.
    for box in reversed(boxes):
        left, right = sorted((box.left * image.width, box.right * image.width))
        top, bottom = sorted((box.top * image.height, box.bottom * image.height))
        colour = _colour((box.class_ or 0) + 1)
        drawing.rectangle((left, top, right, bottom), outline=colour, width=2)
        known = box.class_ is not None and 0 <= box.class_ < len(names)
        name = names[box.class_][:24] if known and box.class_ is not None else box.class_
        text = f"{box.score:.2f}" if name is None else f"{name} {box.score:.2f}"
        place = (max(0.0, left) + 2, max(0.0, top - 13 if top >= 13 else top + 1))
        drawing.rectangle(drawing.textbbox(place, text, font=font), fill=colour)
        drawing.text(place, text, fill="black", font=font)
    return webp(image)


def _colour(class_: int) -> tuple[int, int, int]:
    """Return a bright colour; neighbouring classes get hues far apart."""
    red, green, blue = colorsys.hsv_to_rgb((class_ * 0.61803) % 1, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _pooled(values: Any, rows: int, columns: int) -> Any:
    """Return the matrix max-pooled to at most so many rows and columns."""
    import numpy

    for axis, most in ((0, rows), (1, columns)):
        if values.shape[axis] > most:
            parts = numpy.array_split(values, most, axis=axis)
            values = numpy.stack([part.max(axis=axis) for part in parts], axis=axis)
    return values


def _bytes(values: Any) -> Any:
    import numpy

    found = numpy.nan_to_num(values.astype(numpy.float64), posinf=0, neginf=0)
    low, high = float(found.min()), float(found.max())
    # Values from 0 to 1 keep their scale; others are normalised.
    if low < 0 or high > 1:
        found = (found - low) / ((high - low) or 1.0)
    return numpy.ascontiguousarray(numpy.rint(found * 255).astype(numpy.uint8))


def _fitted(image: Image, side: int) -> Image:
    fitted = image.copy()
    fitted.thumbnail((side, side))
    return fitted


def _encoded(image: Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(
        stream, "WEBP", quality=quality, method=4, lossless=max(image.width, image.height) <= _FLAT
    )
    return stream.getvalue()
