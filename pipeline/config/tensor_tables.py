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


class StoredArray(Table, frozen=True):
    """An array that NumPy saved, of the shape of the input: .npy, or a member of .npz."""

    source: Text
    """The source that holds the file."""
    member: Text | None = None
    """The array of a .npz file."""


class TokenText(Table, frozen=True):
    """A text as numbers: each word's line in a vocabulary, counted from 0."""

    source: Text
    """The source that holds the text, in UTF-8."""
    vocabulary: Text
    """The source with the words, one a line."""
    pad: Index = 0
    """The number that fills up a text that is too short."""
    unknown: Index | None = None
    """The number of words that the vocabulary does not have; without it they are errors."""
    lower: bool = False
    """Whether words are looked up in lower case."""


class Sound(Table, frozen=True):
    """A part of a WAV file, one channel, resampled; silence follows where it is too short."""

    source: Text
    """The source that holds the file."""
    rate: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)]
    """Samples a second of the tensor."""
    start: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    """Where the part begins, in seconds."""
    channel: Index | None = None
    """The channel that is taken, counted from 0; without it the average of all."""


class Noise(Table, frozen=True):
    """Numbers drawn from a seed, evenly between two bounds."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
    """What they are drawn from."""
    low: Number = 0.0
    """The least of them."""
    high: Number = 1.0
    """The greatest of whole numbers, and what other numbers stay below."""


class Tensor(Table, frozen=True):
    """The bytes for one model input; nothing is guessed.

    They are made from a picture, a signal, a sound, an array, a text, the content of a file, noise,
    or one number.

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
    pixels: Count | None = None
    """The most pixels that the picture may have; some 89 million, Pillow's limit, if not given."""
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
    sound: Sound | None = None
    """A WAV file in the place of a picture."""
    array: StoredArray | None = None
    """An array that NumPy saved in the place of a picture."""
    text: TokenText | None = None
    """The words of a text in the place of a picture."""
    noise: Noise | None = None
    """Numbers from a seed in the place of a picture."""
    constant: Number | None = None
    """One number for every element in the place of a picture."""


def sources_of(tensor: Tensor) -> dict[tuple[str, ...], str]:
    """Return the sources that a tensor is made of, each under the path of its key."""
    named: dict[tuple[str, ...], str | None] = {("image",): tensor.image}
    for key in ("content", "sound", "array", "text"):
        if (table := getattr(tensor, key)) is not None:
            named[key, "source"] = table.source
    if tensor.text is not None:
        named["text", "vocabulary"] = tensor.text.vocabulary
    return {path: name for path, name in named.items() if name is not None}
