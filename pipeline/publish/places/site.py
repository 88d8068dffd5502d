"""Releases on a static web site, which serves a folder that was published to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, redacted_url
from pipeline.publish.places.indexed import expected_file
from pipeline.source.download import read_page
from pipeline.source.download_cache import DownloadCache

# The general limit is for large files; a slow server should not use it up for a small one.
_SHORT_SECONDS = 120.0


class SiteReader:
    """A static site: https, or http on localhost."""

    def __init__(self, url: str, downloads: DownloadCache) -> None:
        self._url = url.rstrip("/").removesuffix("/index.json")
        if fault := http_fault(self._url):
            raise PipelineError(
                Code.USAGE, "Unsupported URL.", where=redacted_url(url), expected=fault
            )
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return redacted_url(self._url)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        policy = self._downloads.policy
        page = read_page(
            f"{self._url}/{quote(path)}",
            accept="application/json, */*",
            limit=limit,
            progress=self._downloads.progress,
            policy=replace(policy, total=min(policy.total, _SHORT_SECONDS)),
        )
        return None if page is None else page.body

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return the file, downloaded if it is not cached; raises PipelineError."""
        url = f"{self._url}/{quote(path)}"
        return self._downloads.fetch(url, expected_file(digest), redacted_url(url))
