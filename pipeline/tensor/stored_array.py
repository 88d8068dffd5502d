"""Read arrays from files: NumPy's .npy and .npz, without unpickling, and raw elements."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline.config.tensor_tables import StoredArray
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.tensor.element_values import as_floats

_KINDS = "biuf"
_FLOATS = ("f16", "bf16", "f32", "f64")
_ZIP = b"PK\x03\x04"


def read_array(path: Path, stored: StoredArray, dims: tuple[int, ...], name: str) -> Any:
    """Return the array as float64, or in its own type if it has integers.

    Its shape must be ``dims`` and is checked before the data is read. Raises PipelineError
    (TENSOR) for another shape, for objects, strings, complex numbers and NaN, and a damaged file.
    """
    with _opened(path, stored, name) as stream:
        return _checked(stream, dims, path, name)


def array_shape(path: Path, stored: StoredArray, name: str) -> tuple[int, ...]:
    """Return the shape of an array, of which only the header is read.

    Raises PipelineError (TENSOR) for a damaged file.
    """
    with _opened(path, stored, name) as stream:
        shape, _, _ = _header(stream)
        return shape


def member_names(path: Path) -> list[str]:
    """Return the names of the arrays in a .npz file; none for any other file."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(_ZIP)) != _ZIP:
                return []
        with zipfile.ZipFile(path) as archive:
            return [each.removesuffix(".npy") for each in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def read_raw_array(path: Path, kind: str, dims: tuple[int, ...], name: str) -> Any:
    """Return the elements of a raw file; raises PipelineError (TENSOR) for another size and NaN."""
    import numpy

    element = ELEMENT_TYPES[kind]
    expected = math.prod(dims) * element.size
    try:
        size = path.stat().st_size
        if size != expected:
            sides = "x".join(map(str, dims))
            wanted = f"{expected} bytes: {sides} elements of {kind}"
            raise _refused(path, name, "The raw array has another size.", wanted, f"{size} bytes")
        array = numpy.frombuffer(path.read_bytes(), element.dtype)
    except (OSError, ValueError) as error:
        raise _refused(path, name, "The array cannot be read.", found=str(error)[:200]) from None
    if kind in _FLOATS:
        _check_finite(as_floats(array, kind).reshape(dims), path, name)
    return array.reshape(dims)


@contextmanager
def _opened(path: Path, stored: StoredArray, name: str) -> Iterator[IO[bytes]]:
    """Open the bytes of one array; raises PipelineError (TENSOR), also for the body's faults."""
    try:
        with path.open("rb") as stream:
            # By its first bytes: an array's numbers may be those of an archive.
            if stream.read(len(_ZIP)) != _ZIP:
                if stored.member is not None:
                    raise _refused(path, name, "The file is not an .npz and has no members.")
                stream.seek(0)
                yield stream
                return
        with zipfile.ZipFile(path) as archive:
            members = [each.removesuffix(".npy") for each in archive.namelist()]
            member = members[0] if stored.member is None and len(members) == 1 else stored.member
            if member not in members:
                raise _refused(
                    path,
                    name,
                    "The file has several arrays: member is missing or unknown."
                    if stored.member is None
                    else "The file has no such member.",
                    expected=f"member = one of {', '.join(members[:20])}",
                    found=stored.member or "no member",
                )
            with archive.open(f"{member}.npy") as stream:
                yield stream
    except (
        *(OSError, ValueError, EOFError, KeyError),
        # Raised by zipfile: damaged, an unknown compression, encrypted.
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
        *(NotImplementedError, RuntimeError),
        # Raised by NumPy for an invalid header.
        *(SyntaxError, tokenize.TokenError, TypeError, OverflowError, MemoryError),
    ) as error:
        raise _refused(path, name, "The array cannot be read.", found=str(error)[:200]) from None


def _checked(stream: IO[bytes], dims: tuple[int, ...], path: Path, name: str) -> Any:
    import numpy

    shape, by_columns, dtype = _header(stream)
    if dtype.kind not in _KINDS:
        raise _refused(path, name, "The array's elements are not numbers.", "numbers", str(dtype))
    if shape != dims:
        sides = ("x".join(map(str, each)) or "a scalar" for each in (dims, shape))
        raise _refused(path, name, "The array's shape differs from the input's.", *sides)
    count = int(numpy.prod(dims)) * dtype.itemsize
    data = stream.read(count + 1)
    if len(data) != count:
        there = f"{len(data)} bytes" if len(data) < count else "more"
        raise _refused(path, name, "The array is truncated or too long.", f"{count} bytes", there)
    array = numpy.frombuffer(data, dtype).reshape(dims, order="F" if by_columns else "C")
    if dtype.kind == "f":
        _check_finite(array, path, name)
    return array if dtype.kind in "iu" else array.astype(numpy.float64)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    from numpy.lib import format as npy

    major, _ = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
    shape, by_columns, dtype = read(stream)
    return tuple(shape), by_columns, dtype


def _check_finite(array: Any, path: Path, name: str) -> None:
    import numpy

    finite = numpy.isfinite(array)
    if not finite.all():
        place = numpy.argwhere(~finite)[0]
        found = f"{array[tuple(place)]} at [{', '.join(map(str, place))}]"
        raise _refused(path, name, "The array has NaN or infinite values.", "finite numbers", found)


def _refused(
    path: Path, name: str, message: str, expected: str = "", found: str = ""
) -> PipelineError:
    where = f"{name}, {path.name}"
    return PipelineError(Code.TENSOR, message, where=where, expected=expected, found=found)
