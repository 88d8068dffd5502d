"""What a place must offer so that releases can be fetched from there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipeline.publish.release import Release, ReleasedFile


class Origin(Protocol):
    """A place that holds releases. What comes from it is checked by whoever asks."""

    def describe(self) -> str:
        """Return the place as messages show it, without what may be secret."""
        ...

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the versions of a fixture, none when it is not there; raises PipelineError."""
        ...

    def release(self, name: str, version: str) -> Release:
        """Return a version that is there; raises PipelineError."""
        ...

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the files of what one machine found; raises PipelineError."""
        ...

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return a local file with the bytes of one of a release; raises PipelineError.

        It lies in the cache, where an interrupted call is gone on with.
        """
        ...
