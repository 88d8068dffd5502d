"""Read stored arrays: NumPy's .npy and .npz, without unpickling, TensorProto, and raw elements."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from pipeline.config.tensor_tables import StoredArray
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.tensor.element_values import as_floats
from pipeline.tensor.tensor_proto import largest_proto, read_tensor_proto

_KINDS = "biuf"
_ZIP, _NUMPY = b"PK\x03\x04", b"\x93NUMPY"
_FAULTS = (
    *(OSError, ValueError, EOFError, KeyError),
    # Raised by zipfile: damaged, an unknown compression, encrypted.
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, RuntimeError),
    # Raised by NumPy for an invalid header.
    *(SyntaxError, tokenize.TokenError, TypeError, OverflowError, MemoryError),
)


def read_array(path: Path, stored: StoredArray, dims: tuple[int, ...], name: str) -> Any:
    """Return the array of a .npy, .npz or TensorProto file as float64, or as its own integers.

    Its shape must be ``dims`` and is checked before the data is read. Raises PipelineError
    (TENSOR) for another shape, for objects, strings, complex numbers and NaN, and a damaged file.
    """
    try:
        with path.open("rb") as stream:
            # By its first bytes: an array's numbers may be those of an archive.
            head = stream.read(len(_NUMPY))
            stream.seek(0)
            if not head.startswith(_ZIP):
                if stored.member is not None:
                    raise _refused(path, name, "The file is not an .npz and has no members.")
                if head == _NUMPY:
                    return _checked(stream, dims, path, name)
                return _of_proto(stream, dims, path, name)
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
                return _checked(stream, dims, path, name)
    except _FAULTS as error:
        raise _refused(path, name, "The array cannot be read.", found=str(error)[:200]) from None


def array_shape(path: Path, member: str | None, name: str) -> tuple[int, ...] | None:
    """Return the shape in the header of a .npy file, or of a member of .npz; else None.

    Raises PipelineError (TENSOR) for a damaged file.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(_NUMPY)) == _NUMPY:
                stream.seek(0)
                return _header(stream)[0]
        members = member_names(path)
        chosen = members[0] if member is None and len(members) == 1 else member
        if chosen not in members:
            return None
        with zipfile.ZipFile(path) as archive, archive.open(f"{chosen}.npy") as stream:
            return _header(stream)[0]
    except _FAULTS as error:
        raise _refused(path, name, "The array cannot be read.", found=str(error)[:200]) from None


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


def read_raw(path: Path, kind: str, dims: tuple[int, ...], name: str) -> Any:
    """Return a file's bytes as the elements of a tensor of type ``kind``, little-endian.

    Raises PipelineError (TENSOR) for another size, and for NaN and infinite values.
    """
    import numpy

    element = ELEMENT_TYPES[kind]
    size = int(numpy.prod(dims)) * element.size
    with path.open("rb") as stream:
        data = stream.read(size + 1)
    if len(data) != size:
        found = f"{path.stat().st_size} bytes"
        shown = f"{size} bytes, of {'x'.join(map(str, dims))} {kind}"
        raise _refused(path, name, "The raw array has another size than the input.", shown, found)
    array = numpy.frombuffer(data, element.dtype).reshape(dims)
    return _finite(as_floats(array, kind) if kind == "bf16" else array, path, name)


def _of_proto(stream: IO[bytes], dims: tuple[int, ...], path: Path, name: str) -> Any:
    import numpy

    most = largest_proto(int(numpy.prod(dims)))
    data = stream.read(most + 1)
    if len(data) > most:
        found = f"{path.stat().st_size} bytes"
        raise _refused(path, name, "The file is too large for the input.", f"at most {most}", found)
    try:
        return _finite(read_tensor_proto(data, dims), path, name)
    except ValueError as error:
        refused = _refused(
            path,
            name,
            "The array cannot be read.",
            f"a .npy, .npz or TensorProto file of shape {'x'.join(map(str, dims))}",
            str(error)[:200],
        )
        refused.hint = "For a file of the elements alone set raw = true."
        raise refused from None


def _finite(array: Any, path: Path, name: str) -> Any:
    """Return integers as they are and other numbers as float64, which must be finite."""
    import numpy

    if array.dtype.kind == "f" and not numpy.isfinite(array).all():
        place = numpy.argwhere(~numpy.isfinite(array))[0]
        found = f"{array[tuple(place)]} at [{', '.join(map(str, place))}]"
        raise _refused(path, name, "The array has NaN or infinite values.", "finite numbers", found)
    return array if array.dtype.kind in "iu" else array.astype(numpy.float64)


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
    return _finite(array, path, name)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    from numpy.lib import format as npy

    major, _ = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
    shape, by_columns, dtype = read(stream)
    return tuple(shape), by_columns, dtype


def _refused(
    path: Path, name: str, message: str, expected: str = "", found: str = ""
) -> PipelineError:
    where = f"{name}, {path.name}"
    return PipelineError(Code.TENSOR, message, where=where, expected=expected, found=found)
