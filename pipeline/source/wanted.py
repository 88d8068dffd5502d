"""What a file must be: the digests and the size that a config declares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError

# More than any model of the field, and less than what fills a disk unnoticed.
DEFAULT_LIMIT = 4 * 2**30
_HTML = (b"<!doctype html", b"<html")
_LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class Wanted:
    """The declared size in bytes and hex digests by algorithm; either may be missing."""

    size: int | None
    digests: Mapping[str, str]

    @property
    def limit(self) -> int:
        """Return how many bytes are read at most."""
        return self.size or DEFAULT_LIMIT

    def check(self, path: Path, where: str) -> None:
        """Raise PipelineError (SOURCE_MISMATCH) unless the file is what is wanted."""
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(256)
        for algorithm, wanted in self.digests.items():
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, algorithm).hexdigest()
            if found != wanted:
                raise _mismatch(where, f"{algorithm} {wanted}", f"{algorithm} {found}", size, head)
        if self.size is not None and size != self.size:
            raise _mismatch(where, f"{self.size} bytes", f"{size} bytes", size, head)


def _mismatch(where: str, expected: str, found: str, size: int, head: bytes) -> PipelineError:
    start = head.lstrip().lower()
    if start.startswith(_HTML):
        what = "The server sent a web page instead of the file."
        hint = "Open the address in a browser: it may have moved, or ask for a login."
    elif start.startswith(_LFS):
        what = "The server sent a Git LFS pointer instead of the file."
        hint = "Use the address of the file itself, not of its pointer."
    else:
        what = "The file is not the one that the config declares."
        hint = "If it was changed on purpose, look at it, then correct the config."
    return PipelineError(
        Code.SOURCE_MISMATCH,
        what,
        where=where,
        expected=expected,
        found=f"{found} ({size} bytes)",
        hint=hint,
    )
