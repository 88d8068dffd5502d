"""Read the record of a tensor from a guest's memory."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.host.abi import memory
from pipeline.host.abi.enums import (
    TENSOR_DATA_OFFSET,
    TENSOR_SIZE,
    TENSOR_TYPE_OFFSET,
    TENSOR_TYPES,
    TensorTypeAbi,
)
from pipeline.host.backend import GraphPort
from pipeline.host.model_types import ELEMENT_SIZES
from pipeline.host.session.error import WasiNnError, refuse_argument
from pipeline.host.session.tensor_check import (
    as_taken,
    check_rank,
    check_tensor,
    input_name,
    wanted,
)

_PAIR = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class TensorArgument:
    """A tensor in the guest's memory, in bounds and as its input takes it.

    ``record`` and ``shape`` are the bytes of the struct and of the dims; they and the data are at
    the places ``record_at``, ``shape_at`` and ``data_at``. While the same bytes are at the same
    places, the tensor need not be checked again: a guest's memory never shrinks.
    """

    element: str
    dims: tuple[int, ...]
    pointer: int
    record: bytes
    record_at: slice
    shape: bytes
    shape_at: slice
    data_at: slice


def read_tensor(
    whole: memoryview, pointer: int, port: GraphPort, index: int, abi: TensorTypeAbi
) -> TensorArgument:
    """Read the 20-byte struct of a tensor and its dims.

    Raises WasiNnError (invalid argument) if it is out of bounds, or not one that the input takes.
    """
    record = memory.read(whole, f"the tensor for input {index}", pointer, TENSOR_SIZE)
    dims_pointer, rank = _PAIR.unpack_from(record)
    data, length = _PAIR.unpack_from(record, TENSOR_DATA_OFFSET)
    what = input_name(port, index)

    memory.check(whole, f"the dims of {what}", dims_pointer, 4 * rank)
    memory.check(whole, f"the data of {what}", data, length)
    # The guest chooses the rank, so check it before reading any dims.
    check_rank(port, index, rank)
    dims = memory.read_u32s(whole, f"the dims of {what}", dims_pointer, rank)
    # Bytes 9 to 11 are padding, and not zero in existing guests.
    number = record[TENSOR_TYPE_OFFSET]
    try:
        element, dims = as_taken(port, _element(number, port, index, abi), dims)
        check_tensor(port, index, element, dims, length)
    except WasiNnError as error:
        hint = _other_numbering(number, port, dims, length, abi)
        raise refuse_argument(error.message + hint) from None
    shape = memory.read(whole, "its dims", dims_pointer, 4 * rank)
    return TensorArgument(
        element,
        dims,
        pointer,
        record,
        slice(pointer, pointer + TENSOR_SIZE),
        shape,
        slice(dims_pointer, dims_pointer + 4 * rank),
        slice(data, data + length),
    )


def _element(number: int, port: GraphPort, index: int, abi: TensorTypeAbi) -> str:
    types = TENSOR_TYPES[abi]
    if number >= len(types):
        known = ", ".join(f"{at} {each}" for at, each in enumerate(types))
        raise refuse_argument(
            f"{input_name(port, index)} is {wanted(port) or 'any type'}, but the tensor has type "
            f"{number}; known: {known}"
        )
    element = types[number]
    if port.element is not None and as_taken(port, element, ())[0] != port.element:
        raise refuse_argument(
            f"{input_name(port, index)} is {wanted(port)}, but the tensor is {element} "
            f"(type {number})"
        )
    return element


def _other_numbering(
    number: int, port: GraphPort, dims: Sequence[int], length: int, abi: TensorTypeAbi
) -> str:
    other: TensorTypeAbi = 2022 if abi == 2023 else 2023
    here, there = TENSOR_TYPES[abi], TENSOR_TYPES[other]
    if number >= len(there):
        return ""
    element = there[number]
    same = number < len(here) and here[number] == element
    if same or length != math.prod(dims) * ELEMENT_SIZES[element]:
        return ""
    if port.element not in (None, element):
        return ""
    fits = ", the input's type" if port.element else ""
    return (
        f"; in the numbering of {other} it is {element}, which its {length} bytes fit{fits}: "
        f"try `tensor_type_abi` {other}"
    )
