"""A mirror named by an index: used for files until it is unreachable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
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
