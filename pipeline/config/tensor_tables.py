"""Tables of a tensor: its origin, and the conversion to its bytes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import CaseShape, Count, Index, Number, Positive, Table, Text

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
# Each axis at most once, and H and W required.
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
    """The part of an image to keep, in pixels: first, and one past the last."""

    rows: tuple[int, int] | None = None
    """First row, and one past the last."""
    columns: tuple[int, int] | None = None
    """First column, and one past the last."""


class Signal(Table, frozen=True):
    """A synthesised sound: for each frequency f a sum of sines at h × f with amplitude 1/h.

    ``rate`` is in samples per second, ``frequencies`` in hertz; ``peak`` is the largest magnitude
    of the result.
    """

    rate: Count
    """Samples per second."""
    frequencies: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)]
    """Fundamental frequencies, in hertz."""
    harmonics: Count
    """Number of sines per frequency, including the fundamental."""
    peak: Annotated[float, msgspec.Meta(gt=0, le=1)]
    """Largest magnitude of the result."""


class Content(Table, frozen=True):
    """The first and last bytes of a file, as numbers from 0 to 255.

    A shorter file is padded with ``pad``, after its first and before its last bytes.
    """

    source: Text
    """Source of the file."""
    head: Index
    """Number of first bytes."""
    tail: Index = 0
    """Number of last bytes, after those."""
    pad: Index = 0
    """Padding value."""
    strip: bool = False
    """Whether to strip white space at both ends of the file first."""


class StoredArray(Table, frozen=True):
    """A stored array in the shape of the input.

    It is NumPy's .npy or a member of .npz, ONNX's TensorProto such as input_0.pb, or raw.
    """

    source: Text
    """Source of the file."""
    member: Text | None = None
    """Name of the array in a .npz file."""
    raw: bool = False
    """Whether the file is the elements alone, little-endian, in the tensor's type."""


class TokenText(Table, frozen=True):
    """A text as numbers: the line of each word in a vocabulary, or what a tokenizer makes of it.

    Without a tokenizer, words are separated by white space.
    """

    source: Text
    """Source of the text, in UTF-8."""
    vocabulary: Text | None = None
    """Source of the words, one per line, counted from 0."""
    tokenizer: Text | None = None
    """Source of a tokenizer.json of Hugging Face, with its special tokens."""
    give: Literal["ids", "mask", "types"] = "ids"
    """With a tokenizer: ids of the tokens, attention mask (1 for a token), or segment of each."""
    pad: Index = 0
    """Padding number for a short text."""
    unknown: Index | None = None
    """Number for words that are not in the vocabulary; without it they are errors."""
    lower: bool = False
    """Whether to look up words in lower case."""


class Sound(Table, frozen=True):
    """A part of a WAV file, one channel, resampled; padded with silence if too short."""

    source: Text
    """Source of the file."""
    rate: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)]
    """Samples per second of the tensor."""
    start: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    """Start of the part, in seconds."""
    channel: Index | None = None
    """Channel to use, counted from 0; without it the average of all."""


class Noise(Table, frozen=True):
    """Uniform random numbers from a seed."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
    """Seed of the random numbers."""
    low: Number = 0.0
    """Smallest number."""
    high: Number = 1.0
    """Largest number for integer types; exclusive upper bound for other types."""


class Tensor(Table, frozen=True):
    """The bytes for one model input; nothing is guessed.

    They are made from an image, a signal, a sound, an array, a text, the content of a file, noise,
    or one number.

    An image needs ``image`` (a source), ``colour``, ``layout``, ``resize`` and ``range``, the
    values that 0 and 255 become. ``mean`` and ``scale`` are then applied per channel, in
    ``colour`` order, in float32: ``(x - mean) / scale``; ``mean_image`` is that for each pixel.
    """

    type: ElementType
    """Element type of the file."""
    shape: CaseShape | None = None
    """Size of each axis in this case, if not the input's; an axis with bounds from 0 may be 0."""
    image: Text | None = None
    """Source of the image."""
    crop: Crop | None = None
    """Part of the image to keep."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Rotation of the image, in degrees."""
    resize: Kernel | None = None
    """Kernel for resizing to the size of the input."""
    fit: Literal["stretch", "centre", "pad"] = "stretch"
    """How to handle another aspect ratio: stretch, crop around the centre, or pad."""
    shorter: Count | None = None
    """For fit centre: length to resize the shorter side to before cropping."""
    padding: Colour | None = None
    """For fit pad: red, green and blue of the padding; black if not given."""
    background: Colour | None = None
    """Red, green and blue behind transparent pixels; black if not given."""
    profile: Literal["ignore", "apply"] = "ignore"
    """Whether to convert the colours to sRGB by the image's ICC profile, or ignore it."""
    decode: Literal["exact", "fast"] = "exact"
    """Whether a JPEG may be decoded at a smaller size, at least twice that of the tensor."""
    pixels: Count | None = None
    """Maximum number of pixels of the image; about 89 million, Pillow's limit, if not given."""
    colour: Literal["RGB", "BGR", "GRAY", "RGBA"] | None = None
    """Channel order."""
    layout: Layout | None = None
    """Axis order: batch N, channels C, depth D, height H, width W."""
    any_layout: bool = False
    """Whether the layout may be one that no framework has, such as NCWH."""
    range: Literal["0-255", "0-1"] | None = None
    """Values that the bytes 0 and 255 of the image become."""
    mean: tuple[Number, ...] = ()
    """Value to subtract from each channel."""
    mean_image: Text | None = None
    """Source of Caffe's mean.binaryproto or a .npy, in BGR: what to subtract from each pixel.

    The picture is fitted to its size, and the centre of both is used.
    """
    scale: tuple[Positive, ...] = ()
    """Value to then divide each channel by."""
    signal: Signal | None = None
    """A synthesised sound instead of an image."""
    content: Content | None = None
    """The bytes of a file instead of an image."""
    sound: Sound | None = None
    """A WAV file instead of an image."""
    array: StoredArray | None = None
    """A stored array instead of an image."""
    text: TokenText | None = None
    """The words of a text instead of an image."""
    noise: Noise | None = None
    """Random numbers instead of an image."""
    constant: Number | None = None
    """One number for every element instead of an image."""


def sources_of(tensor: Tensor) -> dict[tuple[str, ...], str]:
    """Return the sources of a tensor, by the path of the key that names each."""
    named: dict[tuple[str, ...], str | None] = {
        ("image",): tensor.image,
        ("mean_image",): tensor.mean_image,
    }
    for key in ("content", "sound", "array", "text"):
        if (table := getattr(tensor, key)) is not None:
            named[key, "source"] = table.source
    if tensor.text is not None:
        named["text", "vocabulary"] = tensor.text.vocabulary
        named["text", "tokenizer"] = tensor.text.tokenizer
    return {path: name for path, name in named.items() if name is not None}
