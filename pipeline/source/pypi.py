"""Fetch a file from the archives of a release in a Python package index."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.cache.atomic import leftovers, write_bytes
from pipeline.cache.digest import key_of
from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, printable_line, redacted_url
from pipeline.source.addresses import PypiUrl
from pipeline.source.archive_member import member_pieces
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile
from pipeline.source.pypi_index import Archive, query_index

_MOST_NAMED = 3


def write_member(
    url: PypiUrl, expected: ExpectedFile, target: Path, downloads: DownloadCache
) -> None:
    """Write the file at ``url`` to ``target``, checked against ``expected``.

    Each archive is downloaded once, verified by the index's digest, and shared by all sources.
    Raises PipelineError (SOURCE_UNREACHABLE, SOURCE_MISMATCH, SOURCE_ARCHIVE) and OSError.
    """
    if _write_kept(url, expected, target, downloads):
        return
    if downloads.offline:
        raise downloads.offline_error(redacted_url(url.text))
    with downloads.lock(_cache_path(url, downloads).name, url.release):
        # Another process may have downloaded it meanwhile.
        if _write_kept(url, expected, target, downloads):
            return
        archives = query_index(url, downloads)
        memory = _cache_path(url, downloads)
        # Leftovers of a killed process: writing them requires this lock.
        for left in leftovers(memory):
            left.unlink(missing_ok=True)
        write_bytes(memory, msgspec.json.encode(tuple(archives)))
        for archive, address in archives.items():
            if fault := http_fault(address):
                raise _refused(
                    url,
                    "The package index returned an invalid archive URL.",
                    f"{redacted_url(address)}, which is not {fault}",
                )
            path = downloads.fetch(address, archive.expected, printable_line(archive.file))
            if _write(path, archive, url, expected, target):
                return
    raise PipelineError(
        Code.SOURCE_ARCHIVE,
        "No archive of the release contains the file.",
        where=redacted_url(url.text),
        found=_listing(archives),
        hint="Inspect the archive; in a source archive, paths are relative to its top folder.",
    )


def _write_kept(
    url: PypiUrl, expected: ExpectedFile, target: Path, downloads: DownloadCache
) -> bool:
    """Write the file from an archive downloaded before, without querying the index."""
    for archive in cached_archives(url, downloads):
        path = downloads.get(archive.expected)
        try:
            if path and _write(path, archive, url, expected, target):
                return True
        except PipelineError as error:
            # A preferred archive, not downloaded yet, may contain another file of this name.
            if error.code is not Code.SOURCE_MISMATCH or downloads.offline:
                raise
    return False


def _write(
    path: Path, archive: Archive, url: PypiUrl, expected: ExpectedFile, target: Path
) -> bool:
    label = printable_line(archive.file)
    with member_pieces(path, url.member, below_top=archive.is_sdist, label=label) as pieces:
        if pieces is None:
            return False
        expected.write(pieces, target, f"{redacted_url(url.text)} in {label}")
    return True


def cached_archives(url: PypiUrl, downloads: DownloadCache) -> tuple[Archive, ...]:
    """Return the archives from an earlier query; URLs are not kept, as they may hold a login."""
    try:
        data = _cache_path(url, downloads).read_bytes()
        return decode_json(data, tuple[Archive, ...])
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return ()


def _cache_path(url: PypiUrl, downloads: DownloadCache) -> Path:
    return downloads.folder / f"pypi-{key_of({'release': url.release})[:16]}.json"


def _listing(archives: Iterable[Archive]) -> str:
    names = [printable_line(archive.file) for archive in archives]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _refused(url: PypiUrl, message: str, found: str) -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE, message, where=redacted_url(url.text), found=found
    )
