"""The tables of manifest.json, for writing, validation and the JSON Schema.

Keys that are not here are informative, such as how a tensor was made.
`manifest_schema` generates the published JSON Schema from these tables.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.config.schema import Expect
from pipeline.model.convert.request import Interface

# Also the version of the files derived from a manifest: other bytes for them need another one.
MANIFEST_VERSION = 5
# Version 1 included the evidence; 2 had neither outputs nor steps; 3 a number for a step's code;
# 4 no classes.
READ_VERSIONS = (1, 2, 3, 4, 5)
SINCE_3 = ("outputs", "steps", "run")
MOST_SECONDS = 3600.0

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
_Size = Annotated[int, msgspec.Meta(ge=0)]
_Dims = tuple[Annotated[int, msgspec.Meta(ge=0)], ...]


class ManifestFile(msgspec.Struct, frozen=True):
    """A file of the fixture."""

    path: str
    """Path in the folder, with / as separator."""
    size: _Size
    """Size in bytes."""
    sha256: _Sha256
    """SHA-256 digest."""


class ManifestSource(msgspec.Struct, frozen=True):
    """Origin and licence of a source file."""

    urls: tuple[str, ...] = ()
    """URLs that it is fetched from, in order."""
    license: str = ""
    """Licence, as an SPDX identifier if it has one."""
    homepage: str = ""
    """Web page about the file."""
    size: _Size | None = None
    """Size of the fetched file in bytes."""
    sha256: _Sha256 | None = None
    """SHA-256 digest of the fetched file."""


class ManifestModel(msgspec.Struct, frozen=True):
    """The IR: its inputs and outputs by index, and the identity of the network."""

    interface: Interface
    """Inputs and outputs, with names, element types and shapes."""
    canonical_digest: _Sha256
    """Digest of the network, independent of the formatting of the xml."""
    precision: str
    """Weight precision."""
    framework: str = ""
    """Framework of the source model."""
    encoding: str = "openvino"
    """Graph encoding of wasi-nn."""
    stem: str | None = None
    """Name of the xml and bin, if not the fixture's."""


class ManifestTensor(msgspec.Struct, frozen=True):
    """An input tensor: its file, and the format of its bytes. Other keys say how it was made."""

    file: str
    """File of raw little-endian bytes."""
    dims: _Dims
    """Size of each axis."""
    type: str
    """Element type."""
    layout: str | None = None
    """Axis order of an image."""


class ManifestOutput(msgspec.Struct, frozen=True):
    """An output tensor: the file that the guest writes to its preopen `out`."""

    name: str
    """Name of the IR's output."""
    file: str
    """File of raw little-endian bytes; that of the building machine is kept in evidence/."""
    dims: _Dims
    """Size of each axis."""
    type: str
    """Element type."""


class ManifestComponent(msgspec.Struct, frozen=True):
    """The guest as a component."""

    file: str
    """File of the component."""
    imports: tuple[str, ...]
    """All imported interfaces, with their versions."""


class ManifestGuest(msgspec.Struct, frozen=True):
    """The guest, its limits, and its imports."""

    program: str
    """File of the guest, without .wasm."""
    imports: tuple[str, ...]
    """All imports, as module.name."""
    language: str = ""
    """Source language."""
    load: str = "bytes"
    """How the guest loads the model: as bytes or by name."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MOST_SECONDS)] = 60.0
    """Wall-time limit of one run."""
    memory: str = "1 GiB"
    """Linear memory limit."""
    component: ManifestComponent | None = None
    """The same program as a component, if the fixture has it."""


class ManifestGolden(msgspec.Struct, frozen=True):
    """The reference that outputs are compared with; measurements of a case are in its evidence."""

    executor: str
    """Runtime that runs the source model."""
    factor: float | None = None
    """Allowed distance in multiples of the noise floor, plus a few units in the last place."""
    absolute: float | None = None
    """Absolute tolerance that the config adds to the measured bound."""
    relative: float | None = None
    """Relative tolerance that the config adds to the measured bound."""
    cosine: float | None = None
    """Minimum cosine similarity of an output."""
    reason: str | None = None
    """Why the config allows more than the measured bound."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """Files that the executor loads, if other than the model's; each with its source."""
    inputs: dict[str, str] = msgspec.field(default_factory=dict)
    """Input names in those files, where they differ."""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    """Output names in those files, where they differ."""


class ManifestToolchain(msgspec.Struct, frozen=True):
    """A locked environment used by the build."""

    lock: _Sha256
    """Digest of its requirements file, which has the digest of each package."""
    python: str
    """Version of its Python."""


class ManifestStep(msgspec.Struct, frozen=True):
    """A step that made some of the files."""

    recipe: str
    """The function that was run."""
    key: _Sha256
    """Action key: a hash of recipe, code, tools, parameters and input digests."""
    code: _Sha256 | None = None
    """Digest of the code: the function and what it imports from the pipeline (since version 4)."""
    files: tuple[str, ...] = ()
    """Files of the folder that it made; empty for an intermediate step."""


class Manifest(msgspec.Struct, frozen=True):
    """manifest.json of a fixture's folder."""

    manifest_version: int
    """Version of this format."""
    name: str
    """Name of the fixture."""
    files: tuple[ManifestFile, ...]
    """All files except the manifest and the files derived from it."""
    sources: dict[str, ManifestSource]
    """Fetched files."""
    model: ManifestModel
    """The IR."""
    tensors: dict[str, dict[str, ManifestTensor]]
    """Input tensors: by case, then by model input."""
    guest: ManifestGuest
    """The guest."""
    expect: dict[str, dict[str, Any]]
    """Expected output of each case."""
    golden: ManifestGolden
    """Reference executor and tolerance."""
    description: str = ""
    """Description of the fixture, in one sentence."""
    classes: dict[str, str] = msgspec.field(default_factory=dict)
    """Name of each case's expected class, where the config has labels (since version 5)."""
    outputs: dict[str, tuple[ManifestOutput, ...]] = msgspec.field(default_factory=dict)
    """Output tensors of each case, by index."""
    steps: dict[str, ManifestStep] = msgspec.field(default_factory=dict)
    """Steps that made the files, by name."""
    toolchains: dict[str, ManifestToolchain] = msgspec.field(default_factory=dict)
    """Locked environments used by the build."""
    tools: dict[str, str] = msgspec.field(default_factory=dict)
    """Packages used by the build, with their versions."""
    run: dict[str, str] = msgspec.field(default_factory=dict)
    """Command for each known runtime to run the first case; paths are relative to the project."""

    @property
    def stem(self) -> str:
        """The name of the IR's files, without suffix."""
        return self.model.stem or self.name

    def expected(self, case: str) -> Expect:
        """Return the expected output of a case; raises msgspec.ValidationError."""
        return convert_value(self.expect.get(case, {}), Expect)
