"""The tables of manifest.json: what is written, what validation reads, what the schema says.

Keys beside these are for people and other programs, such as how a tensor was made.
`manifest_schema` makes the published JSON Schema of these tables.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pipeline.config.schema import Expect
from pipeline.model.request import Interface

MANIFEST_VERSION = 4
# 1 held the evidence too; 2 had neither outputs nor steps; 3 had a number for a step's code.
READ_VERSIONS = (1, 2, 3, 4)
SINCE_3 = ("outputs", "steps", "run")
MOST_SECONDS = 3600.0

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
_Size = Annotated[int, msgspec.Meta(ge=0)]
_Dims = tuple[Annotated[int, msgspec.Meta(ge=0)], ...]


class StatedFile(msgspec.Struct, frozen=True):
    """A file of the fixture."""

    path: str
    """Its path in the folder, with / between folders."""
    size: _Size
    """Its bytes."""
    sha256: _Sha256
    """Its digest."""


class StatedSource(msgspec.Struct, frozen=True):
    """Where a part comes from, and under which licence."""

    urls: tuple[str, ...] = ()
    """The addresses that it is fetched from, in order."""
    license: str = ""
    """Its licence, by SPDX's name where that has one."""
    homepage: str = ""
    """Where people read about it."""
    size: _Size | None = None
    """The bytes of the file that was fetched."""
    sha256: _Sha256 | None = None
    """The digest of the file that was fetched."""


class StatedModel(msgspec.Struct, frozen=True):
    """The IR: its inputs and outputs in the order of their indices, and which network it is."""

    interface: Interface
    """The inputs and outputs, with names, element types and shapes."""
    canonical_digest: _Sha256
    """The digest of the network, whatever its xml looks like."""
    precision: str
    """The element type of the weights."""
    framework: str = ""
    """What the model was saved with."""
    encoding: str = "openvino"
    """The graph encoding of wasi-nn."""
    stem: str | None = None
    """The name of the xml and the bin, where it is not the fixture's."""


class StatedTensor(msgspec.Struct, frozen=True):
    """A tensor that goes in: its file, and what its bytes are. Other keys say how it was made."""

    file: str
    """Its file of raw bytes, little-endian."""
    dims: _Dims
    """The size of every axis."""
    type: str
    """Its element type."""


class StatedOutput(msgspec.Struct, frozen=True):
    """A tensor that comes out: the file that the guest writes into its preopen `out`."""

    name: str
    """The output of the IR."""
    file: str
    """The file of raw bytes, little-endian; kept as found on one machine in evidence/."""
    dims: _Dims
    """The size of every axis."""
    type: str
    """Its element type."""


class StatedGuest(msgspec.Struct, frozen=True):
    """The guest, what it may use, and all that it imports."""

    program: str
    """The guest's file, without .wasm."""
    imports: tuple[str, ...]
    """Everything that it imports, as module.name."""
    language: str = ""
    """What it is written in."""
    load: str = "bytes"
    """Whether it gets the model as bytes or by name."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MOST_SECONDS)] = 60.0
    """The wall time of one run."""
    memory: str = "1 GiB"
    """The linear memory that it may have."""


class StatedGolden(msgspec.Struct, frozen=True):
    """What the outputs are held against. What was measured for a case is in its evidence."""

    executor: str
    """The runtime that runs the source model."""
    factor: float | None = None
    """How many times the noise floor an output may be off, beside a few units in the last place."""
    absolute: float | None = None
    """What every element may be off, whatever was measured."""
    relative: float | None = None
    """What every element may be off as a share of itself, whatever was measured."""
    cosine: float | None = None
    """The least cosine of an output."""
    reason: str | None = None
    """Why the config allows more than what was measured."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """The files of the twin that the executor reads, each with the name of its source."""
    inputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's names of inputs that have another."""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's names of outputs that have another."""


class StatedToolchain(msgspec.Struct, frozen=True):
    """A locked environment that took part."""

    lock: _Sha256
    """The digest of its requirements file, which has the digest of each package."""
    python: str
    """The version of Python in it."""


class StatedStep(msgspec.Struct, frozen=True):
    """A step that made some of the files."""

    recipe: str
    """The function that was run."""
    key: _Sha256
    """The action key: a hash of recipe, code, tools, parameters and the inputs' digests."""
    code: _Sha256 | None = None
    """The digest of the function's code and of what it imports of the pipeline; since version 4."""
    files: tuple[str, ...] = ()
    """The files of the folder that it made; none for a step on the way."""


class Stated(msgspec.Struct, frozen=True):
    """manifest.json of a fixture's folder."""

    manifest_version: int
    """The version of this format."""
    name: str
    """The fixture's name."""
    files: tuple[StatedFile, ...]
    """Every file but the manifest itself and what is made from it."""
    sources: dict[str, StatedSource]
    """What was fetched."""
    model: StatedModel
    """The IR."""
    tensors: dict[str, dict[str, StatedTensor]]
    """The input tensors: case, then model input."""
    guest: StatedGuest
    """The guest."""
    expect: dict[str, dict[str, Any]]
    """What must come out for each case."""
    golden: StatedGolden
    """The executor that the outputs are held against, and how far they may differ."""
    description: str = ""
    """What the fixture is, in one sentence."""
    outputs: dict[str, tuple[StatedOutput, ...]] = msgspec.field(default_factory=dict)
    """The output tensors of each case, in the order of their indices."""
    steps: dict[str, StatedStep] = msgspec.field(default_factory=dict)
    """The steps that made the files, by name."""
    toolchains: dict[str, StatedToolchain] = msgspec.field(default_factory=dict)
    """The locked environments that took part."""
    tools: dict[str, str] = msgspec.field(default_factory=dict)
    """The packages that took part, with their versions."""
    run: dict[str, str] = msgspec.field(default_factory=dict)
    """How each known runtime runs the first case; paths are relative to the project."""

    @property
    def stem(self) -> str:
        """The name of the IR's files."""
        return self.model.stem or self.name

    def expected(self, case: str) -> Expect:
        """Return what must come out for a case; raises msgspec.ValidationError."""
        return msgspec.convert(self.expect.get(case, {}), Expect)
