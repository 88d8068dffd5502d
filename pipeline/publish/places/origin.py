"""The interface of a place to fetch releases from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipeline.publish.release.release import Release, ReleasedFile


class Origin(Protocol):
    """A place that holds releases. Callers verify everything that comes from it."""

    def describe(self) -> str:
        """Return the place for messages, without secrets."""
        ...

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the versions of a fixture, empty if it does not exist; raises PipelineError."""
        ...

    def release(self, name: str, version: str) -> Release:
        """Return an existing version; raises PipelineError."""
        ...

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the files of the release's evidence; raises PipelineError."""
        ...

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return a local file with the bytes of a release's file; raises PipelineError.

        It is in the cache, where an interrupted download resumes.
        """
        ...
