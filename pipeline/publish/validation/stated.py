"""manifest.json as it is read back: of this version and older ones, from whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from pipeline.config.schema import Expect
from pipeline.errors import Code, PipelineError, printable
from pipeline.model.request import Interface
from pipeline.publish.release import check_name, check_path

# 1 held the evidence too.
READ_VERSIONS = (1, 2)
MANIFEST = "manifest.json"
_MOST_BYTES = 16 << 20
_MOST_SECONDS = 3600.0

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
_Size = Annotated[int, msgspec.Meta(ge=0)]


class StatedFile(msgspec.Struct, frozen=True):
    """A file of the fixture."""

    path: str
    size: _Size
    sha256: _Sha256


class StatedSource(msgspec.Struct, frozen=True):
    """Where a part comes from, and under which licence."""

    urls: tuple[str, ...] = ()
    license: str = ""


class StatedModel(msgspec.Struct, frozen=True):
    """The IR."""

    interface: Interface
    canonical_digest: _Sha256
    precision: str
    stem: str | None = None


class StatedTensor(msgspec.Struct, frozen=True):
    """A tensor: its file, and what its bytes are."""

    file: str
    dims: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]
    type: str


class StatedGuest(msgspec.Struct, frozen=True):
    """The guest, what it may use, and all that it imports."""

    program: str
    imports: tuple[str, ...]
    load: str = "bytes"
    seconds: Annotated[float, msgspec.Meta(gt=0, le=_MOST_SECONDS)] = 60.0
    memory: str = "1 GiB"


class Stated(msgspec.Struct, frozen=True):
    """What is checked of a manifest; other keys are for people and other programs."""

    manifest_version: int
    name: str
    files: tuple[StatedFile, ...]
    sources: dict[str, StatedSource]
    model: StatedModel
    tensors: dict[str, dict[str, StatedTensor]]
    guest: StatedGuest
    expect: dict[str, Any]
    golden: dict[str, Any]

    @property
    def stem(self) -> str:
        """The name of the IR's files."""
        return self.model.stem or self.name

    def expected(self, case: str) -> Expect:
        """Return what must come out for a case; raises msgspec.ValidationError."""
        return msgspec.convert(self.expect.get(case, {}), Expect)


def read_manifest(folder: Path) -> Stated:
    """Return the manifest of a folder; raises PipelineError (VERIFY) when it cannot be one."""
    path = folder / MANIFEST
    try:
        if path.is_symlink() or not path.is_file():
            raise _no_manifest(path, "no such file" if not path.is_symlink() else "a link")
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _no_manifest(path, error.strerror or str(error)) from None
    if len(data) > _MOST_BYTES:
        raise _no_manifest(path, f"more than {_MOST_BYTES} bytes")
    try:
        version = msgspec.json.decode(data, type=_Version).manifest_version
        if version not in READ_VERSIONS:
            raise _no_manifest(
                path, f"manifest_version {version}", f"one of {READ_VERSIONS}, or a newer wasi-nn"
            )
        stated = msgspec.json.decode(data, type=Stated)
        for case in stated.tensors:
            stated.expected(case)
        check_name(stated.name)
        for name in (*_names(stated),):
            check_path(name, str(path))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_manifest(path, printable(str(error)[:200])) from None
    except PipelineError as error:
        if error.code is Code.VERIFY:
            raise
        raise _no_manifest(path, error.found, error.expected) from None
    return stated


class _Version(msgspec.Struct):
    manifest_version: int


def _names(stated: Stated) -> list[str]:
    return [
        *(file.path for file in stated.files),
        *(tensor.file for inputs in stated.tensors.values() for tensor in inputs.values()),
        *(case for case in stated.tensors),
        f"{stated.stem}.xml",
        f"{stated.guest.program}.wasm",
    ]


def _no_manifest(path: Path, found: str, expected: str = "") -> PipelineError:
    return PipelineError(
        Code.VERIFY,
        "The folder has no manifest that can be read.",
        where=str(path),
        expected=expected or f"manifest.json as `doit` writes it, below {_MOST_BYTES} bytes",
        found=found,
    )
