"""A mirror named by an index: used for files until it is unreachable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, is_loopback, same_origin
from pipeline.publish.places.origin import Origin
from pipeline.publish.release.release import Release, ReleasedFile


class Mirror:
    """A place with copies of the files; once unreachable, it is not tried again."""

    def __init__(self, place: Origin) -> None:
        self._place = place
        self._gone: PipelineError | None = None

    def describe(self) -> str:
        """Return the place."""
        return self._place.describe()

    def versions(self, name: str) -> Mapping[str, object]:
        """Return its versions; raises PipelineError."""
        return self._place.versions(name)

    def release(self, name: str, version: str) -> Release:
        """Return a version; raises PipelineError."""
        return self._place.release(name, version)

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the files of the release's evidence; raises PipelineError."""
        return self._place.evidence(release)

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return a file of a release; raises PipelineError, at once after an earlier failure."""
        if self._gone is not None:
            raise self._gone
        try:
            return self._place.obtain(release, file)
        except PipelineError as error:
            if error.code is Code.SOURCE_UNREACHABLE:
                self._gone = error
            raise


def is_allowed(mirror: str, source: str) -> bool:
    """Return whether the index of ``source`` may name a mirror: https:, or a folder below its own.

    Whoever wrote the index may not send requests of their choice to services of this machine.

    >>> is_allowed("https://b.example/fixtures", "/srv/fixtures")
    True
    >>> is_allowed("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/index.json")
    True
    >>> is_allowed("http://127.0.0.1:8080/other", "http://127.0.0.1:8080/a")
    False
    """
    if http_fault(mirror):
        return False
    parts = urlsplit(mirror)
    if parts.query or parts.fragment or "@" in parts.netloc or "?" in mirror or "#" in mirror:
        return False
    if parts.scheme == "https" and not is_loopback(mirror):
        return True
    folder = urlsplit(source.rstrip("/").removesuffix("/index.json")).path.rstrip("/")
    path = unquote(parts.path)
    below = path.startswith(f"{folder}/") and ".." not in path.split("/")
    return not http_fault(source) and same_origin(mirror, source) and below
