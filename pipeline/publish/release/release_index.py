"""index.json: the releases in a folder, site or bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec

from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError, printable
from pipeline.publish.release.release import Release, check_name, check_version

INDEX_VERSION = 1
INDEX = "index.json"
RELEASE = "release.json"
MOST_BYTES = 16 << 20
# Further mirrors of an index are ignored.
MOST_MIRRORS = 16

_Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}(?!\n)$")]


class IndexEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version: its root digest, the digest of its release.json, and the size of its files."""

    root: _Digest
    release: _Digest
    size: Annotated[int, msgspec.Meta(ge=0)]
    files: tuple[str, ...]
    """Paths relative to the index, for fetching with curl alone."""


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The versions of each fixture, and mirrors in order of preference."""

    fixtures: dict[str, dict[str, IndexEntry]]
    mirrors: tuple[str, ...] = ()
    index_version: int = INDEX_VERSION


def entry_of(release: Release) -> IndexEntry:
    """Return the index entry of a release."""
    folder = f"{release.name}/{release.version}"
    return IndexEntry(
        root=release.digest,
        release=f"sha256:{Digest.of_bytes(release.encode()).sha256}",
        size=release.size,
        files=tuple(f"{folder}/{file.path}" for file in (*release.files, *release.signature)),
    )


def index_of(releases: Iterable[Release], mirrors: Iterable[str]) -> Index:
    """Return the index of these releases."""
    fixtures: dict[str, dict[str, IndexEntry]] = {}
    for release in sorted(releases, key=lambda each: (each.name, each.version)):
        fixtures.setdefault(release.name, {})[release.version] = entry_of(release)
    return Index(fixtures, tuple(mirrors))


def encode(index: Index) -> bytes:
    """Return index.json: the same bytes for the same index."""
    return msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n"


def decode(data: bytes, where: str) -> Index:
    """Parse an untrusted index; raises PipelineError (SOURCE_MISMATCH)."""
    try:
        index = decode_json(data, Index)
        if index.index_version != INDEX_VERSION:
            raise msgspec.ValidationError(f"index_version {index.index_version}")
        for name, versions in index.fixtures.items():
            check_name(name)
            for version in versions:
                check_version(version)
    except (msgspec.DecodeError, PipelineError) as error:
        raise PipelineError(
            Code.SOURCE_MISMATCH,
            "Invalid index of releases.",
            where=where,
            expected=f"index.json as written by `doit publish`, index_version {INDEX_VERSION}",
            found=printable(str(error)[:200]),
        ) from None
    return index


def is_listed(release: Release, data: bytes | None, where: str) -> bool:
    """Return whether an index has a release; raises PipelineError (SOURCE_MISMATCH).

    A publisher that was killed may have written all of it but its entry.
    """
    fixtures = {} if data is None else decode(data, where).fixtures
    return fixtures.get(release.name, {}).get(release.version) == entry_of(release)


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions from the oldest to the newest.

    >>> in_order(["1.10", "1.2", "2.0rc1"])
    ['2.0rc1', '1.2', '1.10']
    """
    return sorted(versions, key=_order)


def choose(wanted: str, versions: Mapping[str, object], where: str) -> str:
    """Return the requested version: an exact match, the newest with this prefix, or the newest.

    Raises PipelineError (USAGE) if there is none.

    >>> choose("1", {"1.2": 0, "1.10": 0, "2.0": 0}, "here")
    '1.10'
    """
    if wanted in versions:
        return wanted
    fitting = [each for each in versions if not wanted or each.startswith(f"{wanted}.")]
    if fitting:
        return max(fitting, key=_order)
    raise PipelineError(
        Code.USAGE,
        "No such version.",
        where=where,
        expected=wanted or "a version",
        found=", ".join(in_order(versions)[-10:]) or "none",
    )


def _order(version: str) -> tuple[object, ...]:
    from packaging.version import InvalidVersion, Version

    try:
        # Pre-releases are chosen only by exact name, unless there is nothing else.
        parsed = Version(version)
        return (not parsed.is_prerelease, 1, parsed, version)
    except InvalidVersion:
        return (False, 0, Version("0"), version)
