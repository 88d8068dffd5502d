"""Base class and value types of all config tables."""

from __future__ import annotations

from typing import Annotated

import msgspec

# The largest float32: larger numbers, infinity and NaN are not valid in a tensor.
_LARGEST = 3.4028234663852886e38
# Integers up to here are exact in every JSON reader.
_EXACT = 2**53

# `(?!\n)` because Python's `$` also matches before a final newline.
Sha256 = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$", description="64 lower-case hex digits"),
]
Sha1 = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9a-f]{40}(?!\n)$", description="40 lower-case hex digits"),
]
Sha384 = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9a-f]{96}(?!\n)$", description="96 lower-case hex digits"),
]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=_EXACT)]
Index = Annotated[int, msgspec.Meta(ge=0, le=_EXACT)]
Number = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=_LARGEST)]
Tolerance = Annotated[float, msgspec.Meta(ge=0, le=_LARGEST)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=604800)]
Shape = Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)]
# A dynamic axis may be empty.
CaseShape = Annotated[tuple[Index, ...], msgspec.Meta(min_length=1)]
Bytes = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[1-9][0-9]* (KiB|MiB|GiB)(?!\n)$",
        description="a size such as '512 MiB'",
    ),
]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TOML table: an immutable value that rejects unknown keys."""
