"""Decode untrusted JSON to a typed value, with a single exception type."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode_json(data: bytes, kind: type[T]) -> T:
    """Return the decoded value; raises msgspec.DecodeError for any invalid input.

    msgspec raises RecursionError for deep nesting and UnicodeDecodeError for invalid UTF-8.

    >>> decode_json(b"[1, 2]", tuple[int, int])
    (1, 2)
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
