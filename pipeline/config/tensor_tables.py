"""What a config may say of a tensor: the picture or signal, and the way to its bytes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Count, Number, Positive, Table, Text

ElementType = Literal["f16", "f32", "f64", "u8", "i32", "i64"]


class Crop(Table, frozen=True):
    """The part of a picture that is kept, in pixels: first and one past the last."""

    rows: tuple[int, int] | None = None
    """The first row and one past the last."""
    columns: tuple[int, int] | None = None
    """The first column and one past the last."""


class Signal(Table, frozen=True):
    """A synthesised sound: for each frequency a sum of sines at h × f with amplitude 1/h.

    ``rate`` is in samples a second, ``frequencies`` in hertz; ``peak`` is the largest magnitude
    of the result.
    """

    rate: Count
    """Samples a second."""
    frequencies: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)]
    """The fundamental frequencies, in hertz."""
    harmonics: Count
    """How many sines each frequency has, the fundamental among them."""
    peak: Annotated[float, msgspec.Meta(gt=0, le=1)]
    """The largest magnitude of the result."""


class Tensor(Table, frozen=True):
    """The bytes for one model input, made from a picture or a signal; nothing is guessed.

    A picture needs ``image`` (a source), ``colour``, ``layout``, ``resize`` and ``range``, the
    values that 0 and 255 become. ``mean`` and ``scale`` are then applied per channel, in
    ``colour`` order, in float32: ``(x - mean) / scale``.
    """

    type: ElementType
    """The type of the elements in the file."""
    image: Text | None = None
    """The source that holds the picture."""
    crop: Crop | None = None
    """The part of the picture that is kept."""
    rotate: Literal[0, 90, 180, 270] = 0
    """How far the picture is turned, in degrees."""
    resize: Literal["opencv-linear", "opencv-area", "opencv-cubic", "nearest"] | None = None
    """The kernel that brings the picture to the size of the input."""
    colour: Literal["RGB", "BGR", "GRAY"] | None = None
    """The order of the channels."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """The order of the axes: batch N, channels C, height H, width W."""
    range: Literal["0-255", "0-1"] | None = None
    """The values that the bytes 0 and 255 of the picture become."""
    mean: tuple[Number, ...] = ()
    """What is subtracted from each channel."""
    scale: tuple[Positive, ...] = ()
    """What each channel is then divided by."""
    signal: Signal | None = None
    """A synthesised sound in the place of a picture."""
