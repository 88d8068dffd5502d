"""Render arrays as small images and plots."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pipeline.report.html.drawings import Plot, Thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

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


def classes_picture(values: Any) -> Thumbnail:
    """Return the top class at each position of an array, classes × height × width, as hues."""
    import cv2
    import numpy
    from PIL import Image

    strongest = values.argmax(axis=0)
    hues = (strongest * 180 / len(values)).astype(numpy.uint8)
    full = numpy.full_like(hues, 170)
    hsv = numpy.stack([hues, full, numpy.where(strongest == 0, 60, 220).astype(numpy.uint8)], 2)
    return webp(Image.fromarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)))


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
