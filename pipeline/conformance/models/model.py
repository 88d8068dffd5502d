"""What a model of the suite is, in whatever format."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# The number of each type in wasi-nn's 2023 ABI, and its format in Python's struct.
TYPES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "f16": (0, "e"),
        "f32": (1, "f"),
        "f64": (2, "d"),
        "u8": (3, "B"),
        "i32": (4, "i"),
        "i64": (5, "q"),
    }
)
# What `add` adds.
ADDED = (1, 2, 3, 4)


@dataclass(frozen=True)
class SuiteModel:
    """A model as its parts, one for each builder, and the number of its encoding."""

    parts: tuple[bytes, ...]
    encoding: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelFormat:
    """An encoding, and the same models in it.

    ``add`` is y = x + [1, 2, 3, 4], both 1x4 of one type; ``subtract`` y = a - b of f32;
    ``two_outputs`` returns `add` as f32 and as i32; ``dynamic`` is y = x + 1 for an f32 x with one
    dynamic axis. ``types`` are those of `add` besides f32; ``files`` the names of the parts of a
    named graph.
    """

    name: str
    title: str
    number: int
    files: tuple[str, ...]
    types: tuple[str, ...]
    add: Callable[[str], SuiteModel]
    subtract: Callable[[], SuiteModel]
    two_outputs: Callable[[], SuiteModel]
    dynamic: Callable[[], SuiteModel]


def numbers(element: str, *values: float) -> bytes:
    """Return numbers as a tensor's bytes, little-endian.

    >>> numbers("f32", 1, 2).hex()
    '0000803f00000040'
    """
    return struct.pack(f"<{len(values)}{TYPES[element][1]}", *values)
