"""Every file of an archive in turn, read as a stream: nothing is unpacked to a path of its own."""

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

from pipeline.source.archive import KINDS, bounded, check_directory, damage_told, refused

_PIECE = 1 << 20
_MOST_ENTRIES = 1_000_000
# The magic of a tar header (POSIX ustar, and GNU's), and where it lies.
_TAR_MAGIC, _TAR_OFFSET = b"ustar", 257


@dataclass(frozen=True)
class Member:
    """A file of an archive: its name, the size that the archive claims, and its bytes.

    ``stream`` is None for a link, a device, or what is encrypted or packed in an unusual way.
    ``reached`` is how many bytes of the archive have been read.
    """

    name: str
    size: int
    stream: IO[bytes] | None
    reached: int = 0

    def pieces(self, most: int, label: str) -> Iterator[bytes]:
        """Yield the bytes, at most ``most``; raises PipelineError (SOURCE_ARCHIVE) for damage."""
        assert self.stream is not None
        left = most
        while left > 0:
            with damage_told(label):
                piece = self.stream.read(min(_PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece


def members(archive: Path, *, label: str, largest: int) -> Iterator[Member]:
    """Yield the files of a zip, tar or tar.gz in their order; each can be read until the next.

    ``largest`` bounds what a tar unpacks to, in bytes; of a zip, who reads it counts. ``label``
    names the archive for people. Raises PipelineError (SOURCE_ARCHIVE) and OSError.
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
            raise refused(label, "The archive is neither a zip, a tar nor a tar.gz file.")


def _placed(found: Iterator[Member], stream: IO[bytes]) -> Iterator[Member]:
    for member in found:
        yield replace(member, reached=stream.tell())


def _of_zip(stream: IO[bytes], label: str) -> Iterator[Member]:
    with damage_told(label):
        check_directory(stream, label)
        opened = zipfile.ZipFile(stream)
    with opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            # The upper half of the attributes is the Unix mode; a link would be read as its path.
            plain = info.external_attr >> 28 in (0, 8)
            if not plain or info.compress_type not in KINDS or info.flag_bits & 1:
                yield Member(info.filename, info.file_size, None)
                continue
            with _opened(opened, info, label) as found:
                yield Member(info.filename, info.file_size, found)


@contextmanager
def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> Iterator[IO[bytes]]:
    with damage_told(label):
        found = archive.open(info)
    with found:
        yield found


def _of_tar(stream: io.RawIOBase, label: str) -> Iterator[Member]:
    with damage_told(label):
        opened = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - it has no handle of its own
    for count in range(_MOST_ENTRIES + 1):
        with damage_told(label):
            info = opened.next()
        if info is None:
            return
        if count == _MOST_ENTRIES:
            raise refused(label, f"The archive has more than {_MOST_ENTRIES} files.")
        # It would keep every header that it has read.
        opened.members.clear()  # type: ignore[attr-defined] # typeshed leaves it out
        if info.isdir():
            continue
        regular = info.isreg() and not info.issparse()
        name = info.name.removeprefix("./")
        yield Member(name, info.size, opened.extractfile(info) if regular else None)
