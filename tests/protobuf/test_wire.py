"""Protobuf's wire format: read as protobuf reads it, or refused."""

from __future__ import annotations

import mmap
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.protobuf.wire import (
    Field,
    Wire,
    WireError,
    bytes_field,
    read_fields,
    read_varints,
    varint,
    varint_field,
)


def long_varint(value: int, size: int) -> bytes:
    """Encode a number in more bytes than it needs."""
    parts = [value >> 7 * at & 0x7F for at in range(size)]
    return bytes([*(part | 0x80 for part in parts[:-1]), parts[-1]])


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**29 - 1), st.binary(max_size=300))
def test_what_is_written_is_read(number: int, field: int, data: bytes) -> None:
    message = varint_field(field, number) + bytes_field(field, data)
    first, second = read_fields(message)
    assert (first.number, first.wire, first.value) == (field, Wire.VARINT, number)
    assert (second.number, second.wire) == (field, Wire.BYTES)
    assert message[second.start : second.end] == data


def test_it_reads_what_protobuf_writes(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(
        name="w", dims=[3, 2**40], data_type=11, float_data=[1.5], double_data=[2.5]
    )
    path = tmp_path / "tensor.pb"
    path.write_bytes(tensor.SerializeToString())
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        fields = list(read_fields(data))
        dims = [size for each in fields if each.number == 1 for size in read_varints(data, each)]
        assert [data[each.start : each.end] for each in fields if each.number == 8] == [b"w"]
    assert dims == [3, 2**40]


def test_packed_numbers_are_read_like_repeated_ones() -> None:
    packed = bytes_field(1, varint(1) + varint(300))
    repeated = varint_field(1, 1) + varint_field(1, 300)
    for message in (packed, repeated):
        found = [n for field in read_fields(message) for n in read_varints(message, field)]
        assert found == [1, 300]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        # protobuf keeps 32 bits of a tag, and so reads field 13.
        (varint((13 << 3 | 2) + 2**32) + b"\0", "more than 32 bits"),
        (long_varint(13 << 3 | 2, 6) + b"\0", "more than 5 bytes"),
        (b"\x0a" + varint(2**32 + 1) + b"a", "more than 32 bits"),
        (b"\x0a" + long_varint(1, 6) + b"a", "more than 5 bytes"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x08" + b"\x80" * 10 + b"\x00", "more than 10 bytes"),
        (b"\x08" + b"\x80" * 3, "truncated varint"),
        (b"\x0a\x05abc", "exceeds its message"),
        (b"\x0d\0\0\0", "exceeds its message"),
        (b"\x09\0\0\0\0\0\0\0", "exceeds its message"),
        (b"\x0b\x0c", "a group"),
        (b"\x0c", "a group"),
        (b"\x0e\0", "wire type 6"),
        (b"\x00\x00", "field number 0"),
        (b"\x02\x00", "field number 0"),
    ],
)
def test_what_parsers_read_in_different_ways_is_refused(message: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        list(read_fields(message))


def test_a_packed_number_ends_with_its_field() -> None:
    message = bytes_field(1, b"\x80") + b"\x01"
    with pytest.raises(WireError, match="truncated varint"):
        list(read_varints(message, Field(1, Wire.BYTES, 2, 3)))


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_within_the_message_or_one_error(data: bytes) -> None:
    try:
        fields = list(read_fields(data))
    except WireError:
        return
    ends = [0, *(field.end for field in fields)]
    assert ends[-1] == len(data)
    assert all(ends[at] < field.start <= field.end for at, field in enumerate(fields))
