"""Check whether the URL of a source is reachable, and whether its file was downloaded before."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.http.client import http_get
from pipeline.http.retry import PermanentError, RequestDeadline, RetryableError
from pipeline.http.urls import http_fault
from pipeline.source.addresses import FileUrl, HttpUrl, NpmUrl, PypiUrl, Url
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile
from pipeline.source.npm import archive_address, cached_archive
from pipeline.source.pypi import cached_archives
from pipeline.source.pypi_index import query_index

_FIRST_BYTE = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}


def probe(url: Url, root: Path, downloads: DownloadCache) -> str:
    """Return why a URL cannot be fetched now, or ''; requests at most the file's first byte.

    For an archive's member, queries the index and the archive. Waits at most as long as
    ``downloads.policy`` allows.
    """
    try:
        match url:
            case FileUrl():
                return "" if (root / url.path).is_file() else "no such file"
            case HttpUrl():
                return _probe_http(url.text, downloads)
            case PypiUrl():
                return _probe_http(next(iter(query_index(url, downloads).values())), downloads)
            case NpmUrl():
                return _probe_http(archive_address(url, downloads), downloads)
    except PipelineError as error:
        return error.found or error.message
    except (OSError, ValueError) as error:
        return str(error)


def is_downloaded(url: Url, expected: ExpectedFile, downloads: DownloadCache) -> bool:
    """Return whether the file of a URL was downloaded before, without reading its bytes."""
    match url:
        case HttpUrl():
            names = [expected.name] if expected.digests else []
        case PypiUrl():
            names = [archive.expected.name for archive in cached_archives(url, downloads)]
        case NpmUrl():
            archive = cached_archive(url, downloads)
            names = [] if archive is None else [archive.name]
        case FileUrl():
            return False
    return any((downloads.folder / name).is_file() for name in names)


def _probe_http(address: str, downloads: DownloadCache) -> str:
    if fault := http_fault(address):
        return f"not {fault}"
    policy = downloads.policy
    deadline = RequestDeadline.after(policy.total)
    try:
        with http_get(address, _FIRST_BYTE, policy, deadline) as response:
            if response.status in (200, 206):
                return ""
            return f"status {response.status} {response.reason}".strip()
    except (RetryableError, PermanentError) as error:
        return str(error)
