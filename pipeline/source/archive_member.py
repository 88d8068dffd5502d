"""Read one member of a wheel or sdist as a stream; nothing is extracted, built or run."""

from __future__ import annotations

import errno
import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.errors import Code, PipelineError

_PIECE = 1 << 20
# Limit on the unpacked size of all members, against decompression bombs.
_LARGEST = 16 * 2**30
_MOST_ENTRIES = 250_000
# tarfile reads long names and extended headers in one call: bound them.
_LARGEST_HEADER = 1 << 20
_LARGEST_DIRECTORY = 16 << 20
KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


@contextmanager
def member_pieces(
    archive: Path, member: str, *, below_top: bool, label: str
) -> Iterator[Iterator[bytes] | None]:
    """Yield the bytes of one regular file of a zip or tar.gz in pieces, or None if it is missing.

    ``member`` is the exact name, with ``below_top`` relative to the archive's single top folder.
    ``label`` names the archive in messages. Raises PipelineError (SOURCE_ARCHIVE) when the archive
    is damaged or unpacks to too many bytes, or the member is a link or a folder; and OSError.
    """
    with archive.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start.startswith(b"PK"):
            opened = _in_zip(stream, member, below_top, label)
        elif start.startswith(b"\x1f\x8b"):
            opened = _in_tar(stream, member, below_top, label)
        else:
            raise archive_error(label, "The archive is neither a zip nor a tar.gz file.")
        with opened as found:
            yield found and _pieces(found, label)


def _pieces(stream: IO[bytes], label: str) -> Iterator[bytes]:
    while piece := _sound(stream, label):
        yield piece


def _sound(stream: IO[bytes], label: str) -> bytes:
    with damage_error(label):
        return stream.read(_PIECE)


@contextmanager
def damage_error(label: str) -> Iterator[None]:
    """Raise PipelineError (SOURCE_ARCHIVE) for any exception that means a damaged archive."""
    try:
        yield
    except _DAMAGE as error:
        raise archive_error(label, "The archive is damaged.", type(error).__name__) from None
    except OSError as error:
        # In a damaged zip, an offset may be negative.
        if error.errno != errno.EINVAL:
            raise
        raise archive_error(label, "The archive is damaged.", "invalid offset") from None


@contextmanager
def _in_zip(
    stream: IO[bytes], member: str, below_top: bool, label: str
) -> Iterator[IO[bytes] | None]:
    with damage_error(label):
        check_directory(stream, label)
        opened = zipfile.ZipFile(stream)
    with opened:
        if below_top:
            member = f"{_top(next(iter(opened.namelist()), ''))}/{member}"
        try:
            info = opened.getinfo(member)
        except KeyError:
            yield None
            return
        # The upper 16 bits are the Unix mode; a link would be read as its target path.
        if info.is_dir() or info.external_attr >> 28 not in (0, 8):
            raise archive_error(label, f"{member} is not a regular file.")
        if info.compress_type not in KINDS or info.flag_bits & 1:
            raise archive_error(label, f"{member} is encrypted or has an unsupported compression.")
        with damage_error(label):
            found = opened.open(info)
        with found:
            yield found


def check_directory(stream: IO[bytes], label: str) -> None:
    """Refuse a central directory (APPNOTE.TXT, 4.3.16) that would exhaust memory.

    Raises PipelineError (SOURCE_ARCHIVE).
    """
    stream.seek(0, io.SEEK_END)
    stream.seek(max(0, stream.tell() - (1 << 16) - 22))
    tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        raise zipfile.BadZipFile("no end of the central directory")
    (size,) = struct.unpack_from("<I", tail, at + 12)
    # A ZIP64 locator before it means more files than any wheel has.
    if size > _LARGEST_DIRECTORY or tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise archive_error(label, "The archive has too many files.")
    stream.seek(0)


@contextmanager
def _in_tar(
    stream: IO[bytes], member: str, below_top: bool, label: str
) -> Iterator[IO[bytes] | None]:
    with gzip.open(stream) as unpacked:
        with damage_error(label):
            found = _tar_member(_Bounded(unpacked, label, _LARGEST), member, below_top, label)
        yield found


def _tar_member(stream: _Bounded, member: str, below_top: bool, label: str) -> IO[bytes] | None:
    # It must stay open while the member is read; the caller owns the file handle.
    opened = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - closed by the caller
    top = ""
    for count, info in enumerate(opened):
        if count >= _MOST_ENTRIES:
            raise archive_error(label, f"The archive has more than {_MOST_ENTRIES} files.")
        name = info.name.removeprefix("./")
        if below_top:
            top = top or _top(name)
            if not name.startswith(f"{top}/"):
                continue
            name = name.removeprefix(f"{top}/")
        if name != member:
            continue
        if not info.isreg() or info.issparse():
            raise archive_error(label, f"{member} is not a regular file.")
        return opened.extractfile(info)
    return None


def _top(name: str) -> str:
    return name.partition("/")[0]


class _Bounded(io.RawIOBase):
    """A stream that raises PipelineError past ``largest`` bytes, or for one oversized read."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, label: str, largest: int) -> None:
        self._stream = stream
        self._label = label
        self._largest = largest

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER + tarfile.RECORDSIZE:
            raise archive_error(self._label, "A header of the archive is too long.")
        data = self._stream.read(size)
        self._check(self._stream.tell())
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # typeshed requires Buffer, new in 3.12
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check(offset)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def _check(self, position: int) -> None:
        if position > self._largest:
            raise archive_error(
                self._label, f"The archive unpacks to more than {self._largest} bytes."
            )


def bounded(stream: IO[bytes] | gzip.GzipFile, label: str, largest: int) -> io.RawIOBase:
    """Return a stream that raises PipelineError (SOURCE_ARCHIVE) past ``largest`` bytes.

    It also raises for a single read of more than a header's bytes.
    """
    return _Bounded(stream, label, largest)


def archive_error(label: str, message: str, found: str = "") -> PipelineError:
    """Return the error for a refused archive."""
    return PipelineError(
        Code.SOURCE_ARCHIVE,
        message,
        where=label,
        found=found,
        hint="Inspect the archive, or use another release or mirror.",
    )
