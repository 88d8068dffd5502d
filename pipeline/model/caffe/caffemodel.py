"""Read the layers of a caffemodel and write one, in protobuf's wire format without a schema.

Fields of caffe.proto: NetParameter layer 100, layers 2 (before 2015); LayerParameter name 1, type
2, blobs 7; V1LayerParameter name 4, blobs 6; BlobProto shape 7, data 5, and the legacy sizes 1 to
4.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.protobuf.wire import (
    Wire,
    bytes_field,
    bytes_head,
    read_fields,
    read_varints,
    varint,
)

Shape = tuple[int, ...]

_LAYER, _V1_LAYER = 100, 2
_NAME, _TYPE, _BLOBS, _V1_NAME, _V1_BLOBS = 1, 2, 7, 4, 6
_SHAPE, _DATA, _DIM = 7, 5, 1
_LEGACY_SIZES = (1, 2, 3, 4)
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
                for field in read_fields(data):
                    if field.number in (_LAYER, _V1_LAYER) and field.wire is Wire.BYTES:
                        old = field.number == _V1_LAYER
                        name, shapes = _layer(data, field.start, field.end, old)
                        found[name] = shapes
                    if len(found) > _MOST_LAYERS:
                        raise ValueError(f"more than {_MOST_LAYERS} layers")
            except ValueError as error:
                raise _refused(path, str(error)) from None
    if not found:
        raise _refused(path, "no layers")
    return found


def write_caffemodel(
    path: Path, name: str, layers: Mapping[str, tuple[str, Sequence[Any]]]
) -> None:
    """Write a net with float32 weights: type and arrays of each layer."""
    with path.open("wb") as stream:
        stream.write(bytes_field(_NAME, name.encode()))
        for layer, (kind, arrays) in layers.items():
            head = bytes_field(_NAME, layer.encode()) + bytes_field(_TYPE, kind.encode())
            floats = [array.astype("<f4", copy=False) for array in arrays]
            blobs = [(_blob_head(array), array) for array in floats]
            sizes = [len(start) + array.nbytes for start, array in blobs]
            heads = [bytes_head(_BLOBS, size) for size in sizes]
            total = len(head) + sum(map(len, heads)) + sum(sizes)
            stream.write(bytes_head(_LAYER, total) + head)
            for before, (start, array) in zip(heads, blobs, strict=True):
                stream.write(before + start)
                stream.write(array.data)


def _blob_head(array: Any) -> bytes:
    """Return a BlobProto up to its data."""
    dims = bytes_field(_DIM, b"".join(map(varint, array.shape)))
    return bytes_field(_SHAPE, dims) + bytes_head(_DATA, array.nbytes)


def _layer(data: mmap.mmap, start: int, end: int, old: bool) -> tuple[str, tuple[Shape, ...]]:
    name, shapes = "", []
    for field in read_fields(data, start, end):
        if field.wire is not Wire.BYTES:
            continue
        if field.number == (_V1_NAME if old else _NAME):
            name = data[field.start : field.end].decode()
        elif field.number == (_V1_BLOBS if old else _BLOBS):
            shapes.append(_blob(data, field.start, field.end))
    return name, tuple(shapes)


def _blob(data: mmap.mmap, start: int, end: int) -> Shape:
    shape: list[int] = []
    legacy: dict[int, int] = {}
    for field in read_fields(data, start, end):
        if field.number == _SHAPE and field.wire is Wire.BYTES:
            for dim in read_fields(data, field.start, field.end):
                if dim.number == _DIM:
                    shape += read_varints(data, dim)
        elif field.number in _LEGACY_SIZES and field.wire is Wire.VARINT:
            legacy[field.number] = field.value
    return tuple(shape or (legacy.get(number, 1) for number in _LEGACY_SIZES))


def _refused(path: Path, found: str) -> PipelineError:
    return PipelineError(
        Code.MODEL,
        "The weights are not a caffemodel.",
        where=path.name,
        expected="Caffe's NetParameter in protobuf's wire format",
        found=found,
        hint="Check that the file is complete, and not a web page or a Git LFS pointer.",
    )
