"""Read the layers of a caffemodel and write one, in protobuf's wire format without a schema.

Fields of caffe.proto: NetParameter layer 100, layers 2 (before 2015); LayerParameter name 1, type
2, blobs 7; V1LayerParameter name 4, blobs 6; BlobProto shape 7, data 5, and the legacy sizes 1 to
4.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError

Shape = tuple[int, ...]

_LAYER, _V1_LAYER = 100, 2
_NAME, _TYPE, _BLOBS, _V1_NAME, _V1_BLOBS = 1, 2, 7, 4, 6
_SHAPE, _DATA, _DIM = 7, 5, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_LAYERS = 100_000


def read_blobs(path: Path) -> dict[str, tuple[Shape, ...]]:
    """Return the shapes of each layer's weights, without reading the weights.

    Includes layers without weights. Raises PipelineError (MODEL) when it is not a caffemodel.
    """
    found: dict[str, tuple[Shape, ...]] = {}
    with path.open("rb") as stream:
        try:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise _refused(path, "an empty file") from None
        with data:
            try:
                for field, start, end in _fields(data, 0, len(data)):
                    if field in (_LAYER, _V1_LAYER):
                        name, shapes = _layer(data, start, end, field == _V1_LAYER)
                        found[name] = shapes
                    if len(found) > _MOST_LAYERS:
                        raise ValueError(f"more than {_MOST_LAYERS} layers")
            except (ValueError, IndexError, UnicodeDecodeError) as error:
                raise _refused(path, str(error)) from None
    if not found:
        raise _refused(path, "no layers")
    return found


def write_caffemodel(
    path: Path, name: str, layers: Mapping[str, tuple[str, Sequence[Any]]]
) -> None:
    """Write a net with float32 weights: type and arrays of each layer."""
    with path.open("wb") as stream:
        stream.write(_text(_NAME, name))
        for layer, (kind, arrays) in layers.items():
            head = _text(_NAME, layer) + _text(_TYPE, kind)
            floats = [array.astype("<f4", copy=False) for array in arrays]
            blobs = [(_blob_head(array), array) for array in floats]
            sizes = [len(start) + array.nbytes for start, array in blobs]
            heads = [_tag(_BLOBS, _BYTES) + _varint(size) for size in sizes]
            total = len(head) + sum(map(len, heads)) + sum(sizes)
            stream.write(_tag(_LAYER, _BYTES) + _varint(total) + head)
            for before, (start, array) in zip(heads, blobs, strict=True):
                stream.write(before + start)
                stream.write(array.data)


def _blob_head(array: Any) -> bytes:
    """Return a BlobProto up to its data."""
    dims = b"".join(_varint(size) for size in array.shape)
    packed = _tag(_DIM, _BYTES) + _varint(len(dims)) + dims
    shape = _tag(_SHAPE, _BYTES) + _varint(len(packed)) + packed
    return shape + _tag(_DATA, _BYTES) + _varint(array.nbytes)


def _layer(data: mmap.mmap, start: int, end: int, old: bool) -> tuple[str, tuple[Shape, ...]]:
    name, shapes = "", []
    for field, first, last in _fields(data, start, end):
        if field == (_V1_NAME if old else _NAME):
            name = data[first:last].decode()
        elif field == (_V1_BLOBS if old else _BLOBS):
            shapes.append(_blob(data, first, last))
    return name, tuple(shapes)


def _blob(data: mmap.mmap, start: int, end: int) -> Shape:
    shape: list[int] = []
    before: dict[int, int] = {}
    for field, first, last in _fields(data, start, end):
        if field == _SHAPE:
            for dim, at, stop in _fields(data, first, last):
                if dim == _DIM:
                    shape += _packed(data, at, stop)
        elif field <= 4 and first < last:
            before[field], _ = _read_varint(data, first, last)
    if not shape:
        shape = [before.get(field, 1) for field in (1, 2, 3, 4)]
    return tuple(shape)


def _packed(data: mmap.mmap, at: int, end: int) -> Iterator[int]:
    while at < end:
        value, at = _read_varint(data, at, end)
        yield value


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each field's number, and the start and end of its value; raises ValueError."""
    while at < end:
        key, at = _read_varint(data, at, end)
        field, kind = key >> 3, key & 7
        start = at
        if kind == _VARINT:
            _, at = _read_varint(data, at, end)
        elif kind == _BYTES:
            size, start = _read_varint(data, at, end)
            at = start + size
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {kind} at byte {at}")
        if field == 0 or at > end:
            raise ValueError(f"field exceeds its message at byte {start}")
        yield field, start, at


def _read_varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"truncated varint at byte {at}")


def _text(field: int, text: str) -> bytes:
    data = text.encode()
    return _tag(field, _BYTES) + _varint(len(data)) + data


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _refused(path: Path, found: str) -> PipelineError:
    return PipelineError(
        Code.MODEL,
        "The weights are not a caffemodel.",
        where=path.name,
        expected="Caffe's NetParameter in protobuf's wire format",
        found=found,
        hint="Check that the file is complete, and not a web page or a Git LFS pointer.",
    )
