"""The element types of tensors, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ElementType:
    """An element type: its name for configs, guests and OpenVINO, and its size in bytes.

    ``dtype`` is NumPy's little-endian type (bf16 is stored as the bits of a u16), ``onnx`` the
    number of onnx.proto's TensorProto.DataType.
    """

    name: str
    size: int
    dtype: str
    onnx: int


ELEMENT_TYPES: Mapping[str, ElementType] = MappingProxyType(
    {
        each.name: each
        for each in (
            ElementType("f16", 2, "<f2", 10),
            ElementType("bf16", 2, "<u2", 16),
            ElementType("f32", 4, "<f4", 1),
            ElementType("f64", 8, "<f8", 11),
            ElementType("u8", 1, "u1", 2),
            ElementType("i8", 1, "i1", 3),
            ElementType("i32", 4, "<i4", 6),
            ElementType("i64", 8, "<i8", 7),
        )
    }
)
