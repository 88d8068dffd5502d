"""The declared digests and size of a file, checked while its bytes are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import Code, PipelineError

# Larger than common models, small enough not to fill a disk.
DEFAULT_LIMIT = 4 * 2**30
_ALGORITHMS = ("sha256", "sha384", "sha512", "sha1")
_PIECE = 1 << 20
_HEAD = 256
_HTML = (b"<!doctype html", b"<html", b"<head")
_LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class ExpectedFile:
    """The declared size in bytes and hex digests by algorithm; both optional."""

    size: int | None
    digests: Mapping[str, str]

    @property
    def limit(self) -> int:
        """Return the maximum number of bytes to read."""
        return DEFAULT_LIMIT if self.size is None else self.size

    @property
    def name(self) -> str:
        """Return a file name made from the strongest digest.

        >>> ExpectedFile(None, {"sha1": "0a", "sha256": "1b"}).name
        'sha256-1b'
        """
        return next(f"{each}-{self.digests[each]}" for each in _ALGORITHMS if each in self.digests)

    def check(self, path: Path, where: str) -> None:
        """Raise PipelineError (SOURCE_MISMATCH) unless the file matches; also OSError."""
        with path.open("rb") as stream:
            for _ in self._checked(iter(lambda: stream.read(_PIECE), b""), where):
                pass

    def write(self, pieces: Iterable[bytes], target: Path, where: str) -> None:
        """Write the pieces to ``target``, checking size and digests.

        Raises PipelineError (SOURCE_MISMATCH), for too many bytes at once, and OSError;
        ``target`` is then incomplete.
        """
        with target.open("wb") as stream:
            for piece in self._checked(pieces, where):
                stream.write(piece)

    def too_large(self, where: str, head: bytes, found: str) -> PipelineError:
        """Return the error for a file larger than ``limit`` that starts with ``head``."""
        what, hint = _not_a_file(head)
        return PipelineError(
            Code.SOURCE_MISMATCH,
            what or "The file is larger than declared.",
            where=where,
            expected=f"at most {self.limit} bytes",
            found=found,
            hint=hint,
        )

    def _checked(self, pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
        hashes = {
            each: hashlib.new(each, usedforsecurity=False) for each in {"sha256", *self.digests}
        }
        size = 0
        head = b""
        for piece in pieces:
            head = head or piece[:_HEAD]
            size += len(piece)
            if size > self.limit:
                raise self.too_large(where, head, "more")
            for each in hashes.values():
                each.update(piece)
            yield piece
        found = {each: value.hexdigest() for each, value in hashes.items()}
        right = all(found[each] == digest for each, digest in self.digests.items())
        if not right or self.size not in (None, size):
            what, hint = _not_a_file(head)
            raise PipelineError(
                Code.SOURCE_MISMATCH,
                what or "The file does not match its declared digest or size.",
                where=where,
                expected=_listed(self.digests, self.size),
                found=_listed(found, size),
                hint=hint,
            )


def _listed(digests: Mapping[str, str], size: int | None) -> str:
    lines = [f"{each} {digests[each]}" for each in _ALGORITHMS if each in digests]
    return "\n".join(lines if size is None else [*lines, f"{size} bytes"])


def kind_of(head: bytes) -> Literal["web page", "Git LFS pointer", ""]:
    """Return what a file is that starts with ``head``, if it is what servers send instead.

    >>> kind_of(b"<!DOCTYPE html><title>Sign in</title>")
    'web page'
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_HTML):
        return "web page"
    return "Git LFS pointer" if start.startswith(_LFS) else ""


def _not_a_file(head: bytes) -> tuple[str, str]:
    """Return the message and hint for a file that starts with ``head``, or ''."""
    kind = kind_of(head)
    if not kind:
        return "", "If the change is intended, review the file, then update the config."
    hint = "Open the URL in a browser: the file may have moved or require a login."
    if kind == "Git LFS pointer":
        hint = "Use the URL of the file itself, not of its pointer."
    return f"The server sent a {kind} instead of the file.", hint
