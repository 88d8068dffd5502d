"""Decode JSON and MessagePack to typed values, in any number of threads."""

from __future__ import annotations

import threading
from typing import TypeVar

import msgspec

T = TypeVar("T")
# msgspec describes a type at its first use, and crashes when two threads do so at once.
_describing = threading.Lock()


def decode_json(data: bytes, kind: type[T]) -> T:
    """Return the decoded value; raises msgspec.DecodeError for any invalid input.

    msgspec raises RecursionError for deep nesting and UnicodeDecodeError for invalid UTF-8.

    >>> decode_json(b"[1, 2]", tuple[int, int])
    (1, 2)
    """
    try:
        with _describing:
            return msgspec.json.decode(data, type=kind)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None


def decode_msgpack(data: bytes, kind: type[T]) -> T:
    """Return the decoded value; raises msgspec.DecodeError for any invalid input."""
    try:
        with _describing:
            return msgspec.msgpack.decode(data, type=kind)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None


def convert_value(value: object, kind: type[T], *, strict: bool = True) -> T:
    """Return plain data as a typed value; raises msgspec.ValidationError.

    >>> convert_value([1, 2], tuple[int, int])
    (1, 2)
    """
    with _describing:
        return msgspec.convert(value, kind, strict=strict)


def json_decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return a decoder for many values of a type."""
    with _describing:
        return msgspec.json.Decoder(kind)
