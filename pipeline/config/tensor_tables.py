"""What a config may say of a tensor: the picture or signal, and the way to its bytes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Count, Index, Number, Positive, Table, Text

ElementType = Literal["f16", "bf16", "f32", "f64", "u8", "i8", "i32", "i64"]
Kernel = Literal[
    "opencv-linear",
    "opencv-area",
    "opencv-cubic",
    "pillow-bilinear",
    "pillow-bicubic",
    "pillow-lanczos",
    "nearest",
]
# Every axis at most once, height and width among them.
Layout = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?=.*H)(?=.*W)(?!.*(.).*\1)[NCDHW]{2,5}(?!\n)$",
        description="an order of axes such as 'NCHW'",
    ),
]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Colour = tuple[Byte, Byte, Byte]


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


class Content(Table, frozen=True):
    """The first and the last bytes of a file, as numbers from 0 to 255.

    A file that is shorter is filled up with ``pad``, after its first and before its last bytes.
    """

    source: Text
    """The source that holds the file."""
    head: Index
    """How many of its first bytes."""
    tail: Index = 0
    """How many of its last bytes, after those."""
    pad: Index = 0
    """The number that stands for no byte."""
    strip: bool = False
    """Whether white space at both ends of the file is left out first."""


class Tensor(Table, frozen=True):
    """The bytes for one model input; nothing is guessed.

    They are made from a picture, a signal, the content of a file, or one number.

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
    resize: Kernel | None = None
    """The kernel that brings the picture to the size of the input."""
    fit: Literal["stretch", "centre", "pad"] = "stretch"
    """Whether another aspect is stretched, cut off around the centre, or padded."""
    shorter: Count | None = None
    """For fit centre: the length that the shorter side is resized to before the rest is cut off."""
    padding: Colour | None = None
    """For fit pad: the red, green and blue of what is added; black if not given."""
    background: Colour | None = None
    """The red, green and blue that a transparent picture is laid on; black if not given."""
    profile: Literal["ignore", "apply"] = "ignore"
    """Whether the colours are those that the picture's ICC profile means, in sRGB."""
    decode: Literal["exact", "fast"] = "exact"
    """Whether a JPEG may be decoded at a smaller size, at least twice that of the tensor."""
    colour: Literal["RGB", "BGR", "GRAY", "RGBA"] | None = None
    """The order of the channels."""
    layout: Layout | None = None
    """The order of the axes: batch N, channels C, depth D, height H, width W."""
    range: Literal["0-255", "0-1"] | None = None
    """The values that the bytes 0 and 255 of the picture become."""
    mean: tuple[Number, ...] = ()
    """What is subtracted from each channel."""
    scale: tuple[Positive, ...] = ()
    """What each channel is then divided by."""
    signal: Signal | None = None
    """A synthesised sound in the place of a picture."""
    content: Content | None = None
    """The bytes of a file in the place of a picture."""
    constant: Number | None = None
    """One number for every element in the place of a picture."""
