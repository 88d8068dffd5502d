"""Releases on a model hub: repository `OWNER/name`, and a tag for each version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import no_progress
from pipeline.http.retry import RetryPolicy
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed
from pipeline.publish.places.hub_client import POLICY, SHORT_SECONDS, HubClient
from pipeline.publish.places.indexed import expected_file
from pipeline.publish.release.release import (
    MOST_BYTES,
    SUMS,
    Release,
    ReleasedFile,
    check_version,
    decode,
)
from pipeline.publish.release.release_index import RELEASE
from pipeline.scratch import scratch_folder
from pipeline.source.download import read_page
from pipeline.source.download_cache import DownloadCache


class HubDestination:
    """Publish to the hub: one commit for all files; a tag, which never moves, makes it visible."""

    def __init__(self, owner: str) -> None:
        self._hub = HubClient(owner)

    def describe(self) -> str:
        """Return the URL."""
        return self._hub.describe()

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None; raises PipelineError."""
        if version not in self._hub.tags(name):
            return None
        data = read_file(self._hub, name, version, RELEASE, POLICY)
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
            with scratch_folder() as name:
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


class HubOrigin:
    """Fetch from the repositories of one owner."""

    def __init__(self, owner: str, downloads: DownloadCache) -> None:
        self._hub = HubClient(owner, downloads.policy)
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return self._hub.describe()

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the tags that are valid versions; raises PipelineError."""
        found: dict[str, object] = {}
        for tag in self._hub.tags(name):
            try:
                check_version(tag)
            except PipelineError:
                continue
            found[tag] = None
        return found

    def release(self, name: str, version: str) -> Release:
        """Return a version; raises PipelineError."""
        where = f"{self.describe()}/{name}@{version}"
        data = read_file(self._hub, name, version, RELEASE, self._downloads.policy)
        if data is None:
            raise PipelineError(Code.USAGE, "No such version.", where=where)
        release = decode(data, where)
        if (release.name, release.version) != (name, version):
            raise PipelineError(
                Code.SOURCE_MISMATCH,
                "The tag contains another release.",
                where=where,
                expected=f"{name} {version}",
                found=f"{release.name} {release.version}",
                hint="Nothing of the release was used.",
            )
        return release

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the evidence files listed in release.json."""
        return self.release(release.name, release.version).evidence

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return the verified file in the cache; raises PipelineError."""
        url = self._hub.url(release.name, release.version, file.path)
        expected = expected_file(Digest(file.sha256, file.size))
        return self._downloads.fetch(url, expected, file.path, self._hub.get)


def read_file(
    hub: HubClient, name: str, version: str, path: str, policy: RetryPolicy
) -> bytes | None:
    """Return the bytes of a small file, or None; raises PipelineError (SOURCE_UNREACHABLE)."""
    page = read_page(
        hub.url(name, version, path),
        accept="*/*",
        limit=MOST_BYTES,
        progress=no_progress,
        policy=replace(policy, total=min(policy.total, SHORT_SECONDS)),
        get=hub.get,
    )
    return None if page is None else page.body
