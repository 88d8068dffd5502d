"""Check a tensor against the input that it is for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.host.backend import GraphPort
from pipeline.host.model_types import ELEMENT_SIZES
from pipeline.host.session.error import refuse_argument

_MOST_AXES = 64


def check_rank(port: GraphPort, index: int, rank: int) -> None:
    """Raise WasiNnError (invalid argument) for a number of axes that the input does not have."""
    most = _MOST_AXES if port.dims is None else len(port.dims)
    if rank > most or (port.dims is not None and rank != most):
        raise refuse_argument(
            f"{input_name(port, index)} has the shape {port.shape()}, but the tensor has {rank} "
            "axes"
        )


def check_tensor(
    port: GraphPort, index: int, element: str, dims: Sequence[int], length: int
) -> None:
    """Raise WasiNnError (invalid argument) unless the tensor is one that the input takes.

    ``length`` is the number of bytes of its data.
    """
    if port.element is not None and element != port.element:
        raise refuse_argument(
            f"{input_name(port, index)} is {port.element}, but the tensor is {element}"
        )
    check_rank(port, index, len(dims))
    fits = (
        all(size > 0 for size in dims)
        if port.dims is None
        else all(dim.holds(size) for dim, size in zip(port.dims, dims, strict=True))
    )
    if not fits:
        raise refuse_argument(
            f"{input_name(port, index)} has the shape {port.shape()}, but the tensor has "
            f"{shape_text(dims)}"
        )
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
