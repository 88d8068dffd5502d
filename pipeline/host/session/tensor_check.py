"""Check a tensor against the input that it is for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.host.backend import GraphPort
from pipeline.host.model_types import ELEMENT_SIZES, GIVEN_AS_U8
from pipeline.host.session.error import refuse_argument

_MOST_AXES, _MOST_BYTES = 64, 1 << 32


def check_rank(port: GraphPort, index: int, rank: int) -> None:
    """Raise WasiNnError (invalid argument) for a number of axes that the input does not have."""
    most = _MOST_AXES if port.dims is None else len(port.dims)
    # wasi-nn.wit: "To represent a tensor containing a single value, use `[1]`".
    if port.dims == () and rank == 1:
        return
    if rank > most or (port.dims is not None and rank != most):
        raise refuse_argument(
            f"{input_name(port, index)} has the shape {port.shape()}, but the tensor has {rank} "
            "axes"
        )


def as_taken(port: GraphPort, element: str, dims: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Return type and dims as the input takes them: types given as u8, and scalars as ``[1]``.

    >>> as_taken(GraphPort("x", "boolean", ()), "u8", (1,))
    ('boolean', ())
    """
    if element == "u8" and port.element in GIVEN_AS_U8:
        element = port.element
    return element, () if port.dims == () and dims == (1,) else dims


def wanted(port: GraphPort) -> str | None:
    """Return the element type of an input as messages name it, None for any."""
    if port.element in GIVEN_AS_U8:
        return f"{port.element}, which is given as u8, a byte for each value"
    return port.element


def check_values(element: str, index: int, data: memoryview) -> None:
    """Raise WasiNnError (invalid argument) for a boolean that is neither 0 nor 1."""
    if element == "boolean" and bytes(data).strip(b"\0\1"):
        raise refuse_argument(f"input {index} is boolean, but a byte is neither 0 nor 1")


def check_tensor(
    port: GraphPort, index: int, element: str, dims: Sequence[int], length: int
) -> None:
    """Raise WasiNnError (invalid argument) unless the tensor is one that the input takes.

    ``length`` is the number of bytes of its data.
    """
    if port.element is not None and element != port.element:
        raise refuse_argument(
            f"{input_name(port, index)} is {wanted(port)}, but the tensor is {element}"
        )
    check_rank(port, index, len(dims))
    if port.dims is not None and (
        len(dims) != len(port.dims)
        or not all(dim.holds(size) for dim, size in zip(port.dims, dims, strict=True))
    ):
        raise refuse_argument(
            f"{input_name(port, index)} has the shape {port.shape()}, but the tensor has "
            f"{shape_text(dims)}"
        )
    # Frameworks multiply the other axes of an empty tensor too.
    if math.prod(filter(None, dims)) * ELEMENT_SIZES[element] > _MOST_BYTES:
        raise refuse_argument(f"{input_name(port, index)} of {shape_text(dims)} is too large")
    size = math.prod(dims) * ELEMENT_SIZES[element]
    if length != size:
        raise refuse_argument(
            f"{input_name(port, index)} of {shape_text(dims)} {element} has {size} bytes, got "
            f"{length}"
        )


def input_name(port: GraphPort, index: int) -> str:
    """Return an input as messages name it."""
    return f"input {index} ({port.name})"


def shape_text(dims: Sequence[int]) -> str:
    """Return a shape as messages show it.

    >>> shape_text((1, 3)), shape_text(())
    ('1x3', 'a scalar')
    """
    return "x".join(map(str, dims)) or "a scalar"
