"""JSON from a file or from elsewhere as a typed value, or one error, whatever it holds."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decoded(data: bytes, kind: type[T]) -> T:
    """Return the value that some JSON stands for; raises msgspec.DecodeError for all else.

    msgspec has errors of Python's own for what is nested too deeply, and for text that is no UTF-8.

    >>> decoded(b"[1, 2]", tuple[int, int])
    (1, 2)
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
