"""The images of a dataset: the protocol for their sources, and the shard of each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress

SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Minimum number of images per shard, to keep the overhead of a task small.
LEAST = 10
MOST_PICTURES = 1_000_000
# Size limit of an image file; a JPEG of 100 megapixels is smaller.
LARGEST_FILE = 128 << 20
_LONGEST_NAME = 1024


@dataclass(frozen=True)
class Picture:
    """One image: its name in the dataset, with ``/``, and its file.

    ``fault`` is empty, or the reason why it cannot be read; then there may be no file.
    ``progress`` is the progress in its source.
    """

    name: str
    path: Path
    fault: str = ""
    progress: Progress | None = None


class Pictures(Protocol):
    """A source of images: files, a pack, an archive or a bucket."""

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield every image; a file in ``scratch`` is valid until the next one.

        Raises PipelineError when the source cannot be read.
        """
        ...


@dataclass(frozen=True)
class GivenPictures:
    """Images in local files, by name."""

    files: Mapping[str, Path]

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield the images sorted by name."""
        for count, name in enumerate(sorted(self.files), 1):
            progress = Progress(count, len(self.files), "pictures")
            yield Picture(name, self.files[name], progress=progress)


def is_picture(name: str) -> bool:
    """Return whether a file is an image, by its suffix, and not hidden.

    >>> is_picture("cats/a.JPG"), is_picture("cats/._a.jpg"), is_picture("labels.txt")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(
        part.startswith(".") and part not in (".", "..") for part in path.parts
    )


def is_plain(name: str) -> bool:
    r"""Return whether a name is allowed in an index: printable and inside of its folder.

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
    """Return the shard of an image, from 0; a new image changes only its own shard.

    >>> shard_of("cats/a.jpg", 4)
    2
    """
    return _number(name) % shards


def check_shares(names: Collection[str], shards: int, where: str) -> None:
    """Raise PipelineError (TENSOR) for no or too many images, or too few in a shard."""
    if not names:
        raise PipelineError(
            Code.TENSOR,
            "The dataset has no images.",
            where=where,
            expected=f"files that end in {', '.join(sorted(SUFFIXES))}",
            hint="Hidden files are ignored.",
        )
    if len(names) > MOST_PICTURES:
        raise PipelineError(
            Code.TENSOR,
            "The dataset has too many images.",
            where=where,
            expected=f"at most {MOST_PICTURES}",
            found=str(len(names)),
            hint="Split it into several datasets.",
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
            "The dataset has too few images for its number of shards.",
            where=where,
            expected=f"{LEAST} or more in each shard",
            found=f"{least} in one of {shards}; {len(names)} images in total",
            hint=f"shards = {most} is the maximum.",
        )


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _least(numbers: Iterable[int], shards: int) -> int:
    counts = [0] * shards
    for number in numbers:
        counts[number % shards] += 1
    return min(counts)
