"""Read a tensor that a guest passes, and validate it against the model's input."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.element_types import ElementType
from pipeline.host.abi import memory
from pipeline.host.abi.enums import (
    TENSOR_DATA_OFFSET,
    TENSOR_SIZE,
    TENSOR_TYPE_OFFSET,
    TENSOR_TYPES,
    TensorTypeAbi,
    refuse_argument,
)
from pipeline.host.abi.memory import Memory
from pipeline.host.backend import GraphPort

_MOST_AXES = 64
_PAIR = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class TensorArgument:
    """A tensor in the guest's memory.

    ``record`` and ``shape`` are the bytes of the struct and of the dims, with their addresses.
    """

    element: ElementType
    dims: tuple[int, ...]
    data: int
    length: int
    record: tuple[int, bytes]
    shape: tuple[int, bytes]

    def still_at(self, guest: Memory, pointer: int) -> memoryview | None:
        """Return a view of the data if the same bytes describe it at the same pointer, else None.

        Then all earlier checks still hold: a guest's memory never shrinks.
        """
        (at, record), (dims_at, dims) = self.record, self.shape
        whole = guest.data()
        if (
            at == pointer
            and whole[at : at + TENSOR_SIZE] == record
            and whole[dims_at : dims_at + len(dims)] == dims
        ):
            return whole[self.data : self.data + self.length]
        return None


def read_tensor(
    guest: Memory, pointer: int, port: GraphPort, index: int, abi: TensorTypeAbi
) -> TensorArgument:
    """Read the 20-byte struct of a tensor and its dims; the data is bounds-checked only.

    Raises WasiNnError (errno 1) if it is out of bounds, or does not match the input.
    """
    record = memory.view(guest, f"the tensor for input {index}", pointer, TENSOR_SIZE)
    dims_pointer, rank = _PAIR.unpack_from(record)
    data, length = _PAIR.unpack_from(record, TENSOR_DATA_OFFSET)
    what = f"input {index} ({port.name})"

    memory.check(guest, f"the dims of {what}", dims_pointer, 4 * rank)
    memory.check(guest, f"the data of {what}", data, length)
    # The guest chooses the rank, so check it before reading any dims.
    most = _MOST_AXES if port.dims is None else len(port.dims)
    if rank > most or (port.dims is not None and rank != most):
        raise refuse_argument(
            f"{what} has the shape {port.shape()}, but the tensor has {rank} axes"
        )
    dims = memory.read_u32s(guest, f"the dims of {what}", dims_pointer, rank)
    # Bytes 9 to 11 are padding, and not zero in existing guests.
    element = _element(record[TENSOR_TYPE_OFFSET], what, port, dims, length, abi)
    _check_dims(what, port, dims)
    size = math.prod(dims) * element.size
    if length != size:
        raise refuse_argument(
            f"{what} of {_shape(dims)} {element.name} has {size} bytes, got {length}"
            + _other_numbering(record[TENSOR_TYPE_OFFSET], port, dims, length, abi)
        )
    shape = dims_pointer, bytes(memory.view(guest, "its dims", dims_pointer, 4 * rank))
    return TensorArgument(element, dims, data, length, (pointer, bytes(record)), shape)


def _element(
    number: int, what: str, port: GraphPort, dims: Sequence[int], length: int, abi: TensorTypeAbi
) -> ElementType:
    types = TENSOR_TYPES[abi]
    other = _other_numbering(number, port, dims, length, abi)
    if number >= len(types):
        known = ", ".join(f"{at} {each.name}" for at, each in enumerate(types))
        wanted = port.element or "any type"
        raise refuse_argument(
            f"{what} is {wanted}, but the tensor has type {number}; known: {known}{other}"
        )
    element = types[number]
    if port.element is not None and element.name != port.element:
        raise refuse_argument(
            f"{what} is {port.element}, but the tensor is {element.name} (type {number}){other}"
        )
    return element


def _check_dims(what: str, port: GraphPort, dims: Sequence[int]) -> None:
    fits = (
        all(size > 0 for size in dims)
        if port.dims is None
        else all(dim.holds(size) for dim, size in zip(port.dims, dims, strict=True))
    )
    if not fits:
        raise refuse_argument(
            f"{what} has the shape {port.shape()}, but the tensor has {_shape(dims)}"
        )


def _other_numbering(
    number: int, port: GraphPort, dims: Sequence[int], length: int, abi: TensorTypeAbi
) -> str:
    other: TensorTypeAbi = 2022 if abi == 2023 else 2023
    types = TENSOR_TYPES[other]
    if number >= len(types):
        return ""
    element = types[number]
    if element == _named(number, abi) or length != math.prod(dims) * element.size:
        return ""
    fits = ", the input's type" if element.name == port.element else ""
    return (
        f"; in the numbering of {other} it is {element.name}, which its {length} bytes fit{fits}: "
        f"try --tensor-type-abi {other}"
    )


def _named(number: int, abi: TensorTypeAbi) -> ElementType | None:
    types = TENSOR_TYPES[abi]
    return types[number] if number < len(types) else None


def _shape(dims: Sequence[int]) -> str:
    return "x".join(map(str, dims)) or "a scalar"
