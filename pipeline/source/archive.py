"""One member of a wheel or sdist, read as a stream: nothing is unpacked to a path, built or run."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from pipeline.errors import Code, PipelineError

# What all members of an archive may come to, so that a small bomb does not run for hours.
_LARGEST = 16 * 2**30
_PIECE = 1 << 20


def read_member(archive: Path, member: str, target: Path, *, strip: bool, limit: int) -> bool:
    """Write one regular file of the archive to ``target``; false when it is not in there.

    ``strip`` ignores the single top folder of a source archive. Raises PipelineError
    (SOURCE_ARCHIVE) when the archive is damaged, or the member larger than ``limit`` bytes.
    """
    try:
        if zipfile.is_zipfile(archive):
            return _from_zip(archive, member, target, strip, limit)
        return _from_tar(archive, member, target, strip, limit)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise _refused(archive, "The archive is damaged.", str(error)) from None
    except (NotImplementedError, RuntimeError) as error:
        raise _refused(archive, "The archive cannot be read.", str(error)) from None


def _from_zip(archive: Path, member: str, target: Path, strip: bool, limit: int) -> bool:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir() or _named(info.filename, strip) != member:
                continue
            # The upper half of the attributes is the Unix mode; a link would be read as its path.
            kind = info.external_attr >> 28
            if kind not in (0, 8):
                raise _refused(archive, f"{member} is not a regular file.")
            with opened.open(info) as stream:
                _copy(stream, target, limit, archive, member)
            return True
    return False


def _from_tar(archive: Path, member: str, target: Path, strip: bool, limit: int) -> bool:
    with (
        gzip.open(archive) as unpacked,
        tarfile.open(fileobj=_Bounded(unpacked, archive), mode="r|") as opened,
    ):
        for info in opened:
            if _named(info.name, strip) != member:
                continue
            if not info.isreg():
                raise _refused(archive, f"{member} is not a regular file.")
            stream = opened.extractfile(info)
            assert stream is not None
            _copy(stream, target, limit, archive, member)
            return True
    return False


def _named(name: str, strip: bool) -> str:
    name = name.removeprefix("./")
    return name.partition("/")[2] if strip else name


def _copy(stream: IO[bytes], target: Path, limit: int, archive: Path, member: str) -> None:
    done = 0
    with target.open("wb") as writer:
        while piece := stream.read(_PIECE):
            done += len(piece)
            if done > limit:
                raise _refused(archive, f"{member} is larger than the {limit} bytes declared.")
            writer.write(piece)


class _Bounded(io.RawIOBase):
    """A stream that ends in an error after so many bytes."""

    def __init__(self, stream: gzip.GzipFile, archive: Path) -> None:
        self._stream = stream
        self._archive = archive
        self._left = _LARGEST

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _refused(self._archive, f"The archive unpacks to more than {_LARGEST} bytes.")
        return data


def _refused(archive: Path, message: str, found: str = "") -> PipelineError:
    return PipelineError(Code.SOURCE_ARCHIVE, message, where=archive.name, found=found)
