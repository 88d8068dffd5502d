"""Pictures by name, and which shard each belongs to: the one port, whatever they are read from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.errors import Code, PipelineError
from pipeline.work.amount import Amount

SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# So many images a task at the least: what it costs to hand one out is then small beside them.
LEAST = 10
MOST_PICTURES = 1_000_000
# What one picture's file may hold: a JPEG of 100 megapixels is smaller.
LARGEST_FILE = 128 << 20
_LONGEST_NAME = 1024


@dataclass(frozen=True)
class Picture:
    """One picture: its name in the dataset, with ``/``, and the file that holds it.

    ``fault`` tells why it cannot be read, or is empty; then there may be no file. ``reached`` is
    how far the place that it comes from has been read.
    """

    name: str
    path: Path
    fault: str = ""
    reached: Amount | None = None


class Pictures(Protocol):
    """Where pictures come from: files, a pack, an archive or a bucket."""

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield every picture; what had to be written to ``scratch`` is there until the next.

        Raises PipelineError when the place itself cannot be read.
        """
        ...


@dataclass(frozen=True)
class GivenPictures:
    """Pictures that are files of this machine, by name."""

    files: Mapping[str, Path]

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield them in the order of their names."""
        for count, name in enumerate(sorted(self.files), 1):
            reached = Amount(count, len(self.files), "pictures")
            yield Picture(name, self.files[name], reached=reached)


def is_picture(name: str) -> bool:
    """Return whether a file is taken for a picture: by its suffix, and not hidden.

    >>> is_picture("cats/a.JPG"), is_picture("cats/._a.jpg"), is_picture("labels.txt")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(
        part.startswith(".") and part not in (".", "..") for part in path.parts
    )


def is_plain(name: str) -> bool:
    r"""Return whether a name can stand in an index, and leads nowhere else.

    >>> [is_plain(name) for name in ("a/b.jpg", "../b.jpg", "/b.jpg", "a\n.jpg")]
    [True, False, False, False]
    """
    return (
        name.isprintable()
        and len(name) <= _LONGEST_NAME
        and "\\" not in name
        and not any(part in ("", ".", "..") for part in name.split("/"))
    )


def shard_of(name: str, shards: int) -> int:
    """Return the shard of a picture, from 0: a new picture changes one shard and no other.

    >>> shard_of("cats/a.jpg", 4)
    2
    """
    return _number(name) % shards


def check_shares(names: Collection[str], shards: int, where: str) -> None:
    """Raise PipelineError (TENSOR) where there is no picture, or a shard would have few."""
    if not names:
        raise PipelineError(
            Code.TENSOR,
            "The dataset has no picture.",
            where=where,
            expected=f"files that end in {', '.join(sorted(SUFFIXES))}",
            hint="Hidden files do not count.",
        )
    if len(names) > MOST_PICTURES:
        raise PipelineError(
            Code.TENSOR,
            "The dataset has far too many pictures.",
            where=where,
            expected=f"at most {MOST_PICTURES}",
            found=str(len(names)),
            hint="Make several datasets of it.",
        )
    numbers = [_number(name) for name in names]
    if shards > 1 and (least := _least(numbers, shards)) < LEAST:
        most = next(
            fewer
            for fewer in range(min(shards - 1, max(1, len(names) // LEAST)), 0, -1)
            if fewer == 1 or _least(numbers, fewer) >= LEAST
        )
        raise PipelineError(
            Code.TENSOR,
            "The dataset has too few pictures for so many shards.",
            where=where,
            expected=f"{LEAST} or more in each shard",
            found=f"{least} in one of {shards}; {len(names)} pictures in all",
            hint=f"shards = {most} is the most for them.",
        )


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _least(numbers: Iterable[int], shards: int) -> int:
    counts = [0] * shards
    for number in numbers:
        counts[number % shards] += 1
    return min(counts)
