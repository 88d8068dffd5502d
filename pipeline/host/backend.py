"""What a backend offers: it loads graphs of some encodings and infers on some targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.host.abi import Encoding, Target


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: its name, element type, and shape (None: any length)."""

    name: str
    type: str
    shape: tuple[int | None, ...] | None

    def takes(self, dims: tuple[int, ...]) -> bool:
        """Tell whether a tensor of these dims fits."""
        if self.shape is None:
            return True
        return len(dims) == len(self.shape) and all(
            axis is None or axis == length for axis, length in zip(self.shape, dims, strict=True)
        )

    def shown(self) -> str:
        """Return the shape as messages show it."""
        if self.shape is None:
            return "any shape"
        return "x".join("?" if axis is None else str(axis) for axis in self.shape)


class Request(Protocol):
    """One stream of inferences on a graph, isolated from the others."""

    def set_input(self, index: int, dims: tuple[int, ...], data: bytearray) -> None:
        """Take a tensor, whose dims and size fit the port; ``data`` is the request's own."""
        ...

    def compute(self) -> None:
        """Infer; raises Refusal (5)."""
        ...

    def output(self, index: int) -> bytes:
        """Return the bytes of an output of the last inference."""
        ...


class Graph(Protocol):
    """A loaded and compiled model; it may be shared by several handles and contexts."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs, by index."""
        ...

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs, by index."""
        ...

    def request(self) -> Request:
        """Begin a stream of inferences."""
        ...


class Backend(Protocol):
    """Loads graphs. Raises Refusal: 1 for a target or a count of parts, 2, or 5."""

    def load(self, parts: Sequence[bytearray], encoding: Encoding, target: Target) -> Graph:
        """Load a graph from a guest's bytes; no file of the host may be opened for it."""
        ...

    def load_files(self, files: Sequence[Path], target: Target) -> Graph:
        """Load a graph from files that the host's user has named."""
        ...
