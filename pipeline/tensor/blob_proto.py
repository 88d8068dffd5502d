"""Read Caffe's BlobProto, such as mean.binaryproto, from hostile bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from pipeline.protobuf.wire import Field, Wire, WireError, read_fields, read_varints

# Fields of caffe.proto's BlobProto: the sizes of before 2015 are num, channels, height and width.
_LEGACY_SIZES = (1, 2, 3, 4)
_DATA, _SHAPE, _DOUBLES = 5, 7, 8
_DIM = 1
_DTYPES = {_DATA: "<f4", _DOUBLES: "<f8"}
_MOST_AXES = 8
# Caffe has always written the data in one.
_MOST_FIELDS = 1000


def read_blob_proto(data: bytes) -> Any:
    """Return the array of a BlobProto; raises ValueError, in a few words, if it is none.

    >>> read_blob_proto(bytes.fromhex("0801 1001 1801 2001 2a04 0000803f")).tolist()
    [[[[1.0]]]]
    """
    import numpy

    fields = list(islice(read_fields(data), _MOST_FIELDS + 1))
    if len(fields) > _MOST_FIELDS:
        raise ValueError(f"more than {_MOST_FIELDS} fields")
    held = {field.number for field in fields if field.number in _DTYPES}
    if len(held) != 1:
        raise ValueError(
            "a BlobProto with floats and doubles" if held else "no BlobProto with data"
        )
    [number] = held
    if any(field.number == number and field.wire is not Wire.BYTES for field in fields):
        raise ValueError("a BlobProto whose data is not packed")
    dtype = numpy.dtype(_DTYPES[number])
    found = b"".join(data[each.start : each.end] for each in fields if each.number == number)
    if len(found) % dtype.itemsize:
        raise ValueError(f"a BlobProto with {len(found)} bytes of {dtype.name}")
    shape = _shape(data, fields)
    count = 1
    for size in shape:
        count *= size
    values = len(found) // dtype.itemsize
    if count != values:
        raise ValueError(f"a BlobProto of shape {'x'.join(map(str, shape))} with {values} values")
    return numpy.frombuffer(found, dtype).reshape(shape)


def _shape(data: bytes, fields: Sequence[Field]) -> list[int]:
    shapes = [field for field in fields if field.number == _SHAPE]
    if not shapes:
        # A size that is not written is 0; of several the last one counts.
        sizes = {field.number: field.value for field in fields if field.wire is Wire.VARINT}
        return [sizes.get(number, 0) for number in _LEGACY_SIZES]
    found = [size for field in shapes for size in _dims(data, field)]
    if len(found) > _MOST_AXES:
        raise ValueError(f"a BlobProto of {len(found)} axes")
    return found


def _dims(data: bytes, shape: Field) -> Iterator[int]:
    if shape.wire is not Wire.BYTES:
        raise WireError("a shape that is not a message")
    for field in read_fields(data, shape.start, shape.end):
        if field.number == _DIM:
            yield from read_varints(data, field)
