"""Releases on a model hub: repository `OWNER/name`, and a tag for each version."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.errors import PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed
from pipeline.publish.places.hub_client import HubClient
from pipeline.publish.release.release import MOST_BYTES, SUMS, Release, decode
from pipeline.publish.release.release_index import RELEASE


class HubDestination:
    """All files are one commit; a tag, which never moves, makes the version visible."""

    def __init__(self, owner: str) -> None:
        self._hub = HubClient(owner)

    def describe(self) -> str:
        """Return the URL."""
        return self._hub.describe()

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None; raises PipelineError."""
        if version not in self._hub.tags(name):
            return None
        data = self._hub.read(name, version, RELEASE, MOST_BYTES)
        try:
            where = f"{self.describe()}/{name}@{version}"
            return "" if data is None else decode(data, where).digest
        except PipelineError:
            # The tag exists but is not a release.
            return ""

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Commit the files, then tag the commit."""
        for file in release.all_files:
            if Digest.of_file(folder / file.path) != Digest(file.sha256, file.size):
                raise changed(folder / file.path)
        try:
            with tempfile.TemporaryDirectory(prefix="wasi-nn-", ignore_cleanup_errors=True) as name:
                made = {SUMS: release.sums(), RELEASE: release.encode()}
                files = {file.path: folder / file.path for file in release.all_files}
                for path, data in made.items():
                    files[path] = Path(name) / path
                    files[path].write_bytes(data)
                message = f"{release.name} {release.version}, {release.digest}"
                commit, moved = self._hub.commit(release.name, files, message, progress)
        except OSError as error:
            raise publish_error(
                str(error.filename or folder), error.strerror or str(error)
            ) from None
        if not self._hub.tag(release.name, release.version, commit):
            root = self.digest_of(release.name, release.version)
            if root != release.digest:
                raise version_conflict(release, root or "", self.describe())
        return moved
