"""The tables of a config file: a fixture, a guest, or the project's settings.

The JSON Schema files beside the configs are generated from these classes; the string below a key
is its documentation there and in error messages.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.dataset_tables import Dataset
from pipeline.config.expect_tables import ExpectedDetections, ExpectedMask, ExpectedVector
from pipeline.config.model_tables import Golden, Loss, Model, Precision
from pipeline.config.tables import (
    Bytes,
    Count,
    Index,
    Number,
    Positive,
    Seconds,
    Sha1,
    Sha256,
    Sha384,
    Table,
    Text,
)
from pipeline.config.tensor_tables import Tensor

# Licence in a drafted config until the user sets it.
UNKNOWN_LICENCE = "LicenseRef-unknown"


class Source(Table, frozen=True):
    """A file to fetch, used only after its size and digest match.

    ``urls`` are tried in order: ``https://…``, ``pypi:NAME==VERSION#path/in/archive``,
    ``npm:NAME==VERSION#path`` or ``file:path`` (relative to the project). All but a single
    ``file:`` need a digest. ``size`` is in bytes. ``license`` is an SPDX expression.
    """

    urls: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    """URLs of the file, tried in order: https:, pypi: or npm:NAME==VERSION#path, or file:path."""
    license: Text
    """Licence of the file, as an SPDX expression."""
    sha256: Sha256 | None = None
    """SHA-256 of the file, as 64 lower-case hex digits."""
    sha384: Sha384 | None = None
    """SHA-384 of the file, if its publisher states no SHA-256; needs a size."""
    sha1: Sha1 | None = None
    """SHA-1 of the file, if its publisher states nothing better; needs a size."""
    size: Count | None = None
    """Size of the file in bytes."""
    homepage: str = ""
    """Web page about the file."""


ExitCode = Annotated[int, msgspec.Meta(ge=0, le=255, description="an exit code, 0 to 255")]


class Expect(Table, frozen=True):
    """Expected output of one case.

    ``top1`` is the index of the largest value, ``value`` its expected value, ``within`` the
    tolerance of that; ``strongest`` are the indices of the largest values in any order. Indices are
    those of the flattened output, first averaged over the axis ``average`` if given. ``tokens`` are
    all whole numbers of the output in order; of a floating-point output, the index of the largest
    value along its last axis, as a language model's next tokens. ``detections`` are boxes,
    ``mask`` is a map of classes, and ``vector`` an embedding, averaged over ``average`` if given.
    ``golden_only`` means that none of these is known.

    With ``stdout`` or ``exit`` the guest need not read fixture.txt or write its outputs: what it
    prints and how it exits is expected, and the outputs are those of the native inference.
    """

    output: Text | None = None
    """Name of the output to check."""
    top1: Index | None = None
    """Index of the largest value."""
    value: Number | None = None
    """Expected largest value; needs within."""
    within: Positive | None = None
    """Maximum difference of the largest value from value."""
    average: Index | None = None
    """Axis to average the output over first."""
    strongest: tuple[Index, ...] = ()
    """Indices of the largest values, in any order."""
    tokens: tuple[int, ...] = ()
    """Whole numbers of the output, in order, or the index of the largest along its last axis."""
    detections: ExpectedDetections | None = None
    """Boxes of a detector."""
    mask: ExpectedMask | None = None
    """Class of each position, of a segmenter."""
    vector: ExpectedVector | None = None
    """Direction of the output, of an encoder."""
    labels: Text | None = None
    """Source with the names of the classes, one per line."""
    golden_only: bool | None = None
    """Whether the expected output is unknown, so that only the golden check applies."""
    stdout: str | None = None
    """What the guest prints to stdout; line ends at the end do not count."""
    exit: ExitCode | None = None
    """Exit code of the guest."""


class GuestRun(Table, frozen=True):
    """The guest that runs the cases, and its limits on wall time and linear memory."""

    program: Text
    """Guest program, by the name of its file in configs/guests."""
    load: Literal["bytes", "name"] = "bytes"
    """How the guest loads the model: as bytes from its memory, or by the fixture's name."""
    component: bool = False
    """Whether the fixture also has the guest as a component, which must give the same outputs."""
    seconds: Seconds = 60.0
    """Wall-time limit of one run, in seconds."""
    memory: Bytes = "1 GiB"
    """Linear memory limit of the guest, at most 4 GiB."""


class Variant(Table, frozen=True):
    """The same model in another precision: a fixture of its own, from the same sources.

    ``[variant.f16]`` of the fixture ``squeezenet`` is the fixture ``squeezenet-f16``. Keys that are
    not set are inherited, except for datasets, which a variant does not have.
    """

    precision: Precision
    """Weight precision of the IR; int8 needs calibration tensors."""
    description: Text | None = None
    """Description of the variant, in one sentence."""
    loss: Loss | None = None
    """For int8: maximum relative L2 error of an output."""
    golden: Golden | None = None
    """Golden check, if different."""
    expect: dict[str, Expect] = msgspec.field(default_factory=dict)
    """Expected outputs of the cases where they differ."""
    calibration: dict[str, dict[str, Tensor]] = msgspec.field(default_factory=dict)
    """For int8: calibration tensors, declared like tensor."""
    default: bool = False
    """Whether the variant is built by default."""


class Fixture(Table, frozen=True):
    """One fixture: sources, a model, tensors, a guest, and expected outputs.

    ``tensor`` maps a case to its model inputs: ``[tensor.cat.data]`` is input ``data`` of case
    ``cat``. ``dataset`` are folders or archives of images. ``variant`` are further precisions.
    """

    description: Text
    """Description of the fixture, in one sentence."""
    source: Annotated[dict[str, Source], msgspec.Meta(min_length=1)]
    """Files to fetch, by names of your choice."""
    model: Model
    """The model and its conversion to OpenVINO IR."""
    tensor: Annotated[dict[str, dict[str, Tensor]], msgspec.Meta(min_length=1)]
    """Cases: the tensor of each model input, by case."""
    guest: GuestRun
    """The guest that runs the cases."""
    golden: Golden
    """Golden check: the independent executor that the IR is compared with."""
    expect: dict[str, Expect]
    """Expected output of each case."""
    dataset: dict[str, Dataset] = msgspec.field(default_factory=dict)
    """Datasets: many images as tensors for the model's only input."""
    calibration: dict[str, dict[str, Tensor]] = msgspec.field(default_factory=dict)
    """For int8: calibration tensors, declared like tensor."""
    variant: dict[str, Variant] = msgspec.field(default_factory=dict)
    """The same model in other precisions, each as the fixture NAME-VARIANT."""
    default: bool = True
    """Whether the fixture is built by default."""


LanguageName = Literal["assemblyscript", "c", "c++", "rust", "wasm", "wat", "zig"]


class Guest(Table, frozen=True):
    """A guest program: its language, its source files, and its allowed imports.

    ``sources`` are relative to the project; a guest in the language ``wasm`` is built already and
    has a ``file`` instead. ``imports`` are modules; an import of the compiled guest from any other
    module is an error.
    """

    description: Text
    """Description of the guest, in one sentence."""
    sources: tuple[Text, ...] = ()
    """Files to compile, relative to the project."""
    file: Source | None = None
    """For wasm: the guest itself."""
    language: LanguageName = "c"
    """Language of the guest."""
    headers: tuple[Text, ...] = ()
    """Files that the sources include, relative to the project; in Rust, its crates."""
    component: tuple[Text, ...] = ()
    """Further sources, in c or c++, with which the guest is built as a component."""
    compiler: dict[str, Source] = msgspec.field(default_factory=dict)
    """For assemblyscript: files of its compiler, fetched by hash to build the guest."""
    imports: tuple[Text, ...] = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")
    """Modules that the guest may import from."""
    seconds: Seconds = 1800.0
    """Time limit of the build, in seconds."""


class RemoteCacheSettings(Table, frozen=True):
    """A cache that machines share: results of one are reused by others.

    ``url`` is ``https://…`` or ``http://…`` (Bazel's layout: /ac/ and /cas/), or a URL in a scheme
    of fsspec, such as ``s3://bucket/folder``. Objects are checked against their digests; records
    are only as trustworthy as the server or, with ``secret_env``, its writers.
    """

    url: Text
    """URL of the cache: https://…, http://…, s3://… or gs://…."""
    write: bool = False
    """Whether to upload results of this machine."""
    token_env: str = ""
    """Environment variable with the bearer token for https:."""
    secret_env: str = ""
    """Environment variable with the secret that signs and verifies records."""
    seconds: Seconds = 30.0
    """Response timeout in seconds, plus one second per MiB for large objects."""


class Project(Table, frozen=True):
    """Settings of the project; folders are relative to it.

    ``cache`` holds downloads, objects and records, ``toolchains`` the isolated environments and
    the compiler's cache; both may be shared between projects.
    """

    cache: Text = "artifacts/.cache"
    """Folder of downloads, objects and records."""
    toolchains: Text = "artifacts/.cache/toolchains"
    """Folder of the isolated environments and the compiler's cache."""
    cache_limit: Bytes = "20 GiB"
    """Size limit of the cache folder for `doit gc`."""
    offline: bool = False
    """Whether network access is disabled."""
    remote: RemoteCacheSettings | None = None
    """Cache shared with other machines."""
