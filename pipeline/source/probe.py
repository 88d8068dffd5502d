"""Check whether the URL of a source is reachable, and whether its file was downloaded before."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.http.client import Broken, Refused, exchange
from pipeline.http.urls import http_fault
from pipeline.source.addresses import FileUrl, HttpUrl, NpmUrl, PypiUrl, Url
from pipeline.source.download_cache import Downloads
from pipeline.source.expected_file import Wanted
from pipeline.source.npm import archive_address, remembered_archive
from pipeline.source.pypi import remembered_archives
from pipeline.source.pypi_index import ask

_FIRST_BYTE = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}


def unreached(url: Url, root: Path, downloads: Downloads) -> str:
    """Return why a URL cannot be fetched now, or ''; requests at most the file's first byte.

    For an archive's member, queries the index and the archive. Waits at most as long as
    ``downloads.patience`` allows.
    """
    try:
        match url:
            case FileUrl():
                return "" if (root / url.path).is_file() else "no such file"
            case HttpUrl():
                return _silent(url.text, downloads)
            case PypiUrl():
                return _silent(next(iter(ask(url, downloads).values())), downloads)
            case NpmUrl():
                return _silent(archive_address(url, downloads), downloads)
    except PipelineError as error:
        return error.found or error.message
    except (OSError, ValueError) as error:
        return str(error)


def downloaded(url: Url, wanted: Wanted, downloads: Downloads) -> bool:
    """Return whether the file of a URL was downloaded before, without reading its bytes."""
    match url:
        case HttpUrl():
            names = [wanted.name] if wanted.digests else []
        case PypiUrl():
            names = [archive.wanted.name for archive in remembered_archives(url, downloads)]
        case NpmUrl():
            archive = remembered_archive(url, downloads)
            names = [] if archive is None else [archive.name]
        case FileUrl():
            return False
    return any((downloads.folder / name).is_file() for name in names)


def _silent(address: str, downloads: Downloads) -> str:
    if fault := http_fault(address):
        return f"not {fault}"
    patience = downloads.patience
    deadline = time.monotonic() + patience.whole
    try:
        with exchange(address, _FIRST_BYTE, patience, deadline) as answer:
            if answer.status in (200, 206):
                return ""
            return f"status {answer.status} {answer.reason}".strip()
    except (Broken, Refused) as told:
        return str(told)
