"""Iterate over the files of an archive as streams; nothing is extracted to its own path."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from pipeline.source.archive_member import (
    KINDS,
    archive_error,
    bounded,
    check_directory,
    damage_error,
)

_PIECE = 1 << 20
_MOST_ENTRIES = 1_000_000
# The magic of a tar header (POSIX ustar and GNU) and its offset.
_TAR_MAGIC, _TAR_OFFSET = b"ustar", 257


@dataclass(frozen=True)
class Member:
    """A file of an archive: its name, declared size and bytes.

    ``stream`` is None for a link, a device, or an encrypted or unsupported entry. ``position`` is
    the number of bytes of the archive read so far.
    """

    name: str
    size: int
    stream: IO[bytes] | None
    position: int = 0

    def pieces(self, most: int, label: str) -> Iterator[bytes]:
        """Yield at most ``most`` bytes; raises PipelineError (SOURCE_ARCHIVE) if damaged."""
        assert self.stream is not None
        left = most
        while left > 0:
            with damage_error(label):
                piece = self.stream.read(min(_PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece


def members(archive: Path, *, label: str, largest: int) -> Iterator[Member]:
    """Yield the files of a zip, tar or tar.gz in archive order; each is readable until the next.

    ``largest`` bounds the unpacked bytes of a tar; for a zip the caller counts. ``label`` names
    the archive in messages. Raises PipelineError (SOURCE_ARCHIVE) and OSError.
    """
    with archive.open("rb") as stream:
        start = stream.read(_TAR_OFFSET + len(_TAR_MAGIC))
        stream.seek(0)
        if start.startswith(b"PK"):
            yield from _placed(_of_zip(stream, label), stream)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as unpacked:
                found = _of_tar(bounded(unpacked, label, largest), label)
                yield from _placed(found, stream)
        elif start[_TAR_OFFSET:] == _TAR_MAGIC:
            yield from _placed(_of_tar(bounded(stream, label, largest), label), stream)
        else:
            raise archive_error(label, "The archive is neither a zip, a tar nor a tar.gz file.")


def _placed(found: Iterator[Member], stream: IO[bytes]) -> Iterator[Member]:
    for member in found:
        yield replace(member, position=stream.tell())


def _of_zip(stream: IO[bytes], label: str) -> Iterator[Member]:
    with damage_error(label):
        check_directory(stream, label)
        opened = zipfile.ZipFile(stream)
    with opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            # The upper 16 bits are the Unix mode; a link would be read as its target path.
            plain = info.external_attr >> 28 in (0, 8)
            if not plain or info.compress_type not in KINDS or info.flag_bits & 1:
                yield Member(info.filename, info.file_size, None)
                continue
            with _opened(opened, info, label) as found:
                yield Member(info.filename, info.file_size, found)


@contextmanager
def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> Iterator[IO[bytes]]:
    with damage_error(label):
        found = archive.open(info)
    with found:
        yield found


def _of_tar(stream: io.RawIOBase, label: str) -> Iterator[Member]:
    with damage_error(label):
        opened = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - the caller owns the handle
    for count in range(_MOST_ENTRIES + 1):
        with damage_error(label):
            info = opened.next()
        if info is None:
            return
        if count == _MOST_ENTRIES:
            raise archive_error(label, f"The archive has more than {_MOST_ENTRIES} files.")
        # tarfile keeps every header it has read.
        opened.members.clear()  # type: ignore[attr-defined] # missing in typeshed
        if info.isdir():
            continue
        regular = info.isreg() and not info.issparse()
        name = info.name.removeprefix("./")
        yield Member(name, info.size, opened.extractfile(info) if regular else None)
