"""Fetch a file from the archives of a release in a Python package index."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import key_of
from pipeline.cache.json_decoding import decoded
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, plain, shown
from pipeline.source.addresses import PypiUrl
from pipeline.source.archive_member import member_pieces
from pipeline.source.download_cache import Downloads
from pipeline.source.expected_file import Wanted
from pipeline.source.pypi_index import Archive, ask

_MOST_NAMED = 3


def write_member(url: PypiUrl, wanted: Wanted, target: Path, downloads: Downloads) -> None:
    """Write the file at ``url`` to ``target``, checked against ``wanted``.

    Each archive is downloaded once, verified by the index's digest, and shared by all sources.
    Raises PipelineError (SOURCE_UNREACHABLE, SOURCE_MISMATCH, SOURCE_ARCHIVE) and OSError.
    """
    if _write_kept(url, wanted, target, downloads):
        return
    if downloads.offline:
        raise downloads.missing(shown(url.text))
    with downloads.alone(_memory(url, downloads).name, url.release):
        # Another process may have downloaded it meanwhile.
        if _write_kept(url, wanted, target, downloads):
            return
        archives = ask(url, downloads)
        memory = _memory(url, downloads)
        # Leftovers of a killed process: writing them requires this lock.
        for left in memory.parent.glob(f".{glob.escape(memory.name)}.*.part"):
            left.unlink(missing_ok=True)
        write_bytes(memory, msgspec.json.encode(tuple(archives)))
        for archive, address in archives.items():
            if fault := http_fault(address):
                raise _refused(
                    url,
                    "The package index returned an invalid archive URL.",
                    f"{shown(address)}, which is not {fault}",
                )
            path = downloads.obtain(address, archive.wanted, plain(archive.file))
            if _write(path, archive, url, wanted, target):
                return
    raise PipelineError(
        Code.SOURCE_ARCHIVE,
        "No archive of the release contains the file.",
        where=shown(url.text),
        found=_listing(archives),
        hint="Inspect the archive; in a source archive, paths are relative to its top folder.",
    )


def _write_kept(url: PypiUrl, wanted: Wanted, target: Path, downloads: Downloads) -> bool:
    """Write the file from an archive downloaded before, without querying the index."""
    for archive in remembered_archives(url, downloads):
        path = downloads.kept(archive.wanted)
        try:
            if path and _write(path, archive, url, wanted, target):
                return True
        except PipelineError as error:
            # A preferred archive, not downloaded yet, may contain another file of this name.
            if error.code is not Code.SOURCE_MISMATCH or downloads.offline:
                raise
    return False


def _write(path: Path, archive: Archive, url: PypiUrl, wanted: Wanted, target: Path) -> bool:
    label = plain(archive.file)
    with member_pieces(path, url.member, below_top=archive.is_sdist, label=label) as pieces:
        if pieces is None:
            return False
        wanted.write(pieces, target, f"{shown(url.text)} in {label}")
    return True


def remembered_archives(url: PypiUrl, downloads: Downloads) -> tuple[Archive, ...]:
    """Return the archives from an earlier query; URLs are not kept, as they may hold a login."""
    try:
        data = _memory(url, downloads).read_bytes()
        return decoded(data, tuple[Archive, ...])
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return ()


def _memory(url: PypiUrl, downloads: Downloads) -> Path:
    return downloads.folder / f"pypi-{key_of({'release': url.release})[:16]}.json"


def _listing(archives: Iterable[Archive]) -> str:
    names = [plain(archive.file) for archive in archives]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _refused(url: PypiUrl, message: str, found: str) -> PipelineError:
    return PipelineError(Code.SOURCE_UNREACHABLE, message, where=shown(url.text), found=found)
