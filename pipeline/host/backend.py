"""Interfaces of a backend: graphs to load, and contexts to compute in.

Each backend is a module in pipeline/host/backends with a FRAMEWORK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pipeline.host.model_types import Encoding, Target


@dataclass(frozen=True, slots=True)
class Dim:
    """Allowed sizes of an axis; ``most`` is None if unbounded."""

    least: int
    most: int | None

    def holds(self, size: int) -> bool:
        """Return whether the axis may have this size; 0 is allowed if the axis is dynamic.

        >>> Dim(1, 8).holds(9), Dim(4, 4).holds(0), Dim(0, None).holds(0), Dim(0, None).holds(7)
        (False, False, True, True)
        """
        return size >= self.least and (self.most is None or size <= self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        if self.most is None:
            return "?" if self.least <= 1 else f"{self.least}.."
        return f"{self.least}..{self.most}"


@dataclass(frozen=True, slots=True)
class GraphPort:
    """An input or output of a graph: name, element type, and axes (None for any rank).

    ``element`` is wasi-nn's name of the type, the framework's name if wasi-nn lacks the type, or
    None if the model does not specify it.
    """

    name: str
    element: str | None
    dims: tuple[Dim, ...] | None

    def shape(self) -> str:
        """Return the axes as text.

        >>> GraphPort("x", "f32", (Dim(1, 1), Dim(0, None))).shape()
        '1x?'
        """
        if self.dims is None:
            return "any rank"
        return "x".join(map(str, self.dims)) or "a scalar"


class BackendError(Exception):
    """The framework reported an error; the text is the framework's."""


class BackendUnavailable(Exception):
    """A required package is not installed; the text says how to install it."""


class ExecutionContext(Protocol):
    """Runs one inference at a time on a graph, with its own inputs and outputs."""

    def input_memory(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        """Return the memory of an input of this type and shape, as one-dimensional bytes.

        The host copies the tensor there before an inference, and asks again only for another type
        or shape. Raises BackendError; then the input's earlier memory stays in use.
        """
        ...

    def compute(self) -> None:
        """Run inference with all inputs set. Raises BackendError, also after ``cancel``."""
        ...

    def cancel(self) -> None:
        """Ask a running ``compute`` to stop; called from another thread."""
        ...

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output, valid until the next call; raises BackendError."""
        ...

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and shape of an output of the last ``compute``."""
        ...


class Graph(Protocol):
    """A compiled model."""

    @property
    def inputs(self) -> tuple[GraphPort, ...]:
        """The inputs, by index."""
        ...

    @property
    def outputs(self) -> tuple[GraphPort, ...]:
        """The outputs, by index."""
        ...

    def context(self) -> ExecutionContext:
        """Return a new context; raises BackendError."""
        ...


class Backend(Protocol):
    """A framework that reads some encodings."""

    def targets(self) -> Mapping[Target, str]:
        """Return the framework's device for each available target."""
        ...

    def load(self, encoding: Encoding, parts: Sequence[bytearray], device: str) -> Graph:
        """Compile a model from its bytes, which the backend may keep.

        Raises BackendError for an invalid model, BackendUnavailable if a package is not installed.
        Must not open any file that the model names.
        """
        ...

    def load_files(self, encoding: Encoding, files: Sequence[Path], device: str) -> Graph:
        """Compile a model from files of the host's owner.

        Raises BackendError and BackendUnavailable.
        """
        ...


Hint = Literal["latency", "throughput"]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Performance options; a backend ignores those that it does not support.

    ``hint`` is what to optimise for, ``threads`` the number of CPU threads per inference, ``cache``
    a folder for compiled models. Models from a guest's bytes are never cached there.
    """

    hint: Hint | None = None
    threads: int | None = None
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A framework: its name, and the encodings that it reads.

    ``runs_models_code`` marks models that are programs with full access to this process: then a
    guest's bytes are loaded only if the owner selected the framework explicitly.
    """

    name: str
    encodings: tuple[Encoding, ...]
    start: Callable[[Tuning], Backend]
    runs_models_code: bool = False
