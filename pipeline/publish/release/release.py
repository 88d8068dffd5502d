"""A release: one version of a fixture as a list of files, identified by a root digest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import decode_json
from pipeline.config.rules import DEVICE_NAMES
from pipeline.errors import Code, PipelineError, printable

RELEASE_VERSION = 1
# Results of one machine, with a digest apart from the release's.
EVIDENCE = "evidence"
# Shards and accuracies, which may be very large; they belong to the project.
DATASETS = "datasets"
SUMS = "SHA256SUMS"
# OpenSSF's signature of the files. It is not reproducible, so it is not part of the content.
SIGNATURE = "model.sig"

MOST_BYTES = 16 << 20
_MOST_FILES = 10_000
# Hashing releases Python's lock.
_AT_A_TIME = 4
_MOST_SIZE = 1 << 40

# Valid in tags of OCI registries, and on every file system.
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}(?<!\.)")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]|[a-z0-9]")
_PART = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._+@-]{0,127}(?<!\.)")

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
_Size = Annotated[int, msgspec.Meta(ge=0, le=_MOST_SIZE)]


class ReleasedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """One file, by its path in the fixture's folder with ``/`` as separator."""

    path: str
    size: _Size
    sha256: _Sha256


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a fixture. ``files`` are reproducible on any machine, ``evidence`` is not.

    ``signature`` has at most one file.
    """

    name: str
    version: str
    files: tuple[ReleasedFile, ...]
    evidence: tuple[ReleasedFile, ...] = ()
    signature: Annotated[tuple[ReleasedFile, ...], msgspec.Meta(max_length=1)] = ()
    release_version: int = RELEASE_VERSION

    @property
    def digest(self) -> str:
        """Digest of all files: that of their lines in SHA256SUMS, as ``sha256:…``."""
        return f"sha256:{Digest.of_bytes(self.sums()).sha256}"

    @property
    def size(self) -> int:
        """Size of all files in bytes, without the evidence."""
        return sum(file.size for file in self.files)

    @property
    def all_files(self) -> tuple[ReleasedFile, ...]:
        """All files that are published."""
        return (*self.files, *self.signature, *self.evidence)

    def sums(self) -> bytes:
        """Return the lines of SHA256SUMS, sorted by path."""
        return "".join(
            f"{file.sha256}  {file.path}\n" for file in sorted_files(self.files)
        ).encode()

    def encode(self) -> bytes:
        """Return release.json: the same bytes for the same release."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def sorted_files(files: Iterable[ReleasedFile]) -> list[ReleasedFile]:
    """Return files sorted by their paths' bytes, as `sort` does under LC_ALL=C."""
    return sorted(files, key=lambda file: file.path.encode())


def release_of(folder: Path, version: str) -> Release:
    """Return the release of a fixture's folder; reads every file once.

    Raises PipelineError: USAGE for an invalid version, STORAGE for a link, a device, or a name that
    is not portable.
    """
    check_version(version)
    content, evidence, signature = [], [], []
    paths = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    named = {name: path for name, path in paths.items() if name.partition("/")[0] != DATASETS}
    for name, path in named.items():
        check_path(name, str(path))
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        digests = list(pool.map(Digest.of_file, named.values()))
    for name, digest in zip(named, digests, strict=True):
        file = ReleasedFile(name, digest.size, digest.sha256)
        if name.partition("/")[0] == EVIDENCE:
            evidence.append(file)
        elif name == SIGNATURE:
            signature.append(file)
        elif name != SUMS:
            content.append(file)
    if not content:
        raise _wrong("The folder contains no fixture.", str(folder), "manifest.json and its files")
    return Release(
        name=folder.resolve().name,
        version=version,
        files=tuple(sorted_files(content)),
        evidence=tuple(sorted_files(evidence)),
        signature=tuple(signature),
    )


def decode(data: bytes, where: str) -> Release:
    """Parse an untrusted release, and check every path and size.

    Raises PipelineError (SOURCE_MISMATCH).
    """
    try:
        release = decode_json(data, Release)
    except msgspec.DecodeError as error:
        raise _refused(where, "release.json as written by `doit publish`", str(error)) from None
    if release.release_version != RELEASE_VERSION:
        expected, found = f"release_version {RELEASE_VERSION}", str(release.release_version)
        raise _refused(where, expected, found)
    try:
        check_name(release.name)
        check_version(release.version)
        paths = [file.path for file in release.all_files]
        for path in paths:
            check_path(path, where)
    except PipelineError as error:
        raise _refused(where, error.expected, error.found) from None
    # On file systems that ignore case, two such names would be one file.
    folded = {path.casefold() for path in paths}
    folders = {
        str(parent).casefold()
        for path in paths
        for parent in list(PurePosixPath(path).parents)[:-1]
    }
    if len(folded) != len(paths) or folded & folders or not release.files:
        raise _refused(where, "files with unique paths", "none, or a duplicate path")
    signed = [file.path for file in release.signature]
    listed = [file.path for file in release.files]
    beside = {
        path for path in listed if path in (SUMS, SIGNATURE) or path.startswith(f"{EVIDENCE}/")
    }
    beside |= {file.path for file in release.evidence if not file.path.startswith(f"{EVIDENCE}/")}
    if signed not in ([], [SIGNATURE]) or beside:
        raise _refused(
            where, f"{SIGNATURE} only as signature, {EVIDENCE}/ only as evidence", ", ".join(beside)
        )
    if len(paths) > _MOST_FILES:
        raise _refused(where, f"at most {_MOST_FILES} files", f"{len(paths)}")
    return release


def check_name(name: str) -> None:
    """Raise PipelineError (USAGE) unless this is a valid name of a fixture."""
    if not _NAME.fullmatch(name) or DEVICE_NAMES.fullmatch(name):
        raise PipelineError(
            Code.USAGE,
            "Invalid fixture name.",
            where=printable(name[:80]),
            expected="lower-case letters, digits and dashes",
            found=printable(name[:80]),
        )


def check_version(version: str) -> None:
    """Raise PipelineError (USAGE) unless this is a valid version.

    >>> check_version("1.0-rc.1")
    """
    if not _VERSION.fullmatch(version):
        raise PipelineError(
            Code.USAGE,
            "Invalid version.",
            where=printable(version[:80]),
            expected="up to 64 letters, digits, dots, dashes and underscores, such as 1.0",
            found=printable(version[:80]),
        )


def check_path(path: str, where: str) -> None:
    """Raise PipelineError (STORAGE) unless the path is inside its folder and portable.

    >>> check_path("evidence/cat/sandbox/prob.raw", "here")
    """
    parts = path.split("/")
    if len(path) > 240 or not all(
        _PART.fullmatch(part) and not DEVICE_NAMES.fullmatch(part) for part in parts
    ):
        raise _wrong(
            "The file name is not portable.",
            where,
            "letters, digits and . _ + @ -, in folders below the fixture's",
            printable(path[:120]),
        )


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise _wrong(
                "A release may only contain regular files.", str(path), "a file", "a link or device"
            )
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _wrong(message: str, where: str, expected: str, found: str = "") -> PipelineError:
    return PipelineError(Code.STORAGE, message, where=where, expected=expected, found=found)


def _refused(where: str, expected: str, found: str) -> PipelineError:
    return PipelineError(
        Code.SOURCE_MISMATCH,
        "Invalid release.",
        where=where,
        expected=expected,
        found=printable(found[:200]),
        hint="Nothing of the release was used.",
    )
