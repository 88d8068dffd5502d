"""The interface of a place to publish releases to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import Code, PipelineError
from pipeline.publish.release.release import Release

TextProgress = Callable[[str], None]


class Destination(Protocol):
    """A place for releases. Versions appear atomically and are immutable."""

    def describe(self) -> str:
        """Return the place for messages, without secrets."""
        ...

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None."""
        ...

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Publish a release from its folder and return the number of bytes transferred.

        After an interruption, files that were transferred are skipped. Raises PipelineError
        (PUBLISH, or USAGE if the version exists with different content).
        """
        ...


@dataclass(frozen=True)
class Published:
    """The result of one release: ``moved`` is the bytes transferred, None if it existed already."""

    release: Release
    moved: int | None


def publish_all(
    destination: Destination,
    releases: Sequence[tuple[Release, Path]],
    *,
    dry_run: bool,
    progress: TextProgress,
    key: Path | None = None,
) -> list[Published]:
    """Publish releases from their folders, after checking that all can be published.

    ``key`` is a private key that signs each; existing releases are not changed. Raises
    PipelineError: USAGE if a version exists with different content, PUBLISH.
    """
    from pipeline.publish.release.signing import check_private, signed

    if key is not None:
        check_private(key)
    there = []
    for release, _ in releases:
        root = destination.digest_of(release.name, release.version)
        if root is not None and root != release.digest:
            raise version_conflict(release, root, destination.describe())
        there.append(root is not None)
    results = []
    for (release, folder), present in zip(releases, there, strict=True):
        moved = None
        if not present and dry_run:
            moved = 0
        elif not present:
            with signed(release, folder, key) as (whole, place):
                moved = destination.publish(whole, place, progress)
        results.append(Published(release, moved))
    return results


def version_conflict(release: Release, root: str, where: str) -> PipelineError:
    """Return the error for a version that exists with different content."""
    return PipelineError(
        Code.USAGE,
        f"{release.name} {release.version} is already published with different content.",
        where=where,
        expected=root,
        found=release.digest,
        hint="Published versions are immutable: publish the changes as another version.",
    )


def publish_error(where: str, found: str, hint: str = "") -> PipelineError:
    """Return the error for a place that does not accept a release."""
    return PipelineError(
        Code.PUBLISH,
        "Publishing failed; nothing of the release is visible.",
        where=where,
        found=found,
        hint=hint or "Run it again: files that were transferred are skipped.",
    )
