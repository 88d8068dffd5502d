"""What a place must offer so that releases can be published there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import Code, PipelineError
from pipeline.publish.release import Release

Say = Callable[[str], None]


class Destination(Protocol):
    """A place for releases. A version is there whole or not at all, and never changes."""

    def describe(self) -> str:
        """Return the place as messages show it, without what may be secret."""
        ...

    def root_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a version that is there, or None."""
        ...

    def publish(self, release: Release, folder: Path, say: Say) -> int:
        """Publish a release from its folder and return the bytes that were moved.

        What an interrupted call has moved is not moved again. Raises PipelineError (PUBLISH, USAGE
        when the version is there with another content).
        """
        ...


@dataclass(frozen=True)
class Published:
    """What became of one release: ``moved`` bytes; None where it was there already."""

    release: Release
    moved: int | None


def publish_all(
    destination: Destination,
    releases: Sequence[tuple[Release, Path]],
    *,
    dry_run: bool,
    say: Say,
    key: Path | None = None,
) -> list[Published]:
    """Publish releases, each with its folder, none before all were found publishable.

    With ``key``, a private one, each is signed; what is there already stays as it is. Raises
    PipelineError: USAGE when a version is there with another content, PUBLISH.
    """
    from pipeline.publish.signing import check_private, signed

    if key is not None:
        check_private(key)
    there = []
    for release, _ in releases:
        root = destination.root_of(release.name, release.version)
        if root is not None and root != release.root:
            raise immutable(release, root, destination.describe())
        there.append(root is not None)
    results = []
    for (release, folder), present in zip(releases, there, strict=True):
        moved = None
        if not present and dry_run:
            moved = 0
        elif not present:
            with signed(release, folder, key) as (whole, place):
                moved = destination.publish(whole, place, say)
        results.append(Published(release, moved))
    return results


def immutable(release: Release, root: str, where: str) -> PipelineError:
    """Return the error for a version that is there with another content."""
    return PipelineError(
        Code.USAGE,
        f"{release.name} {release.version} is published, and a version never changes.",
        where=where,
        expected=root,
        found=release.root,
        hint="Publish what has changed as another version.",
    )


def failed(where: str, found: str, hint: str = "") -> PipelineError:
    """Return the error for a place that does not take a release."""
    return PipelineError(
        Code.PUBLISH,
        "The release could not be published; nothing of it is visible there.",
        where=where,
        found=found,
        hint=hint or "Run it again: what was moved is not moved twice.",
    )
