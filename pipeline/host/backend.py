"""What a framework must offer to serve wasi-nn: graphs to load, and contexts to compute in.

A new one is a module of its own in pipeline/host/backends, with a FRAMEWORK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pipeline.host.abi import Encoding, Target


@dataclass(frozen=True, slots=True)
class Dim:
    """The sizes that an axis may have; ``most`` is None where there is no bound."""

    least: int
    most: int | None

    def holds(self, size: int) -> bool:
        """Tell whether the axis may have this size; an empty axis never may.

        >>> Dim(1, 8).holds(9), Dim(0, None).holds(0), Dim(0, None).holds(7)
        (False, False, True)
        """
        return size >= max(self.least, 1) and (self.most is None or size <= self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        if self.most is None:
            return "?" if self.least <= 1 else f"{self.least}.."
        return f"{self.least}..{self.most}"


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph: its name, element type, and axes (None where any rank is fit).

    ``element`` is wasi-nn's name of the type, else the framework's of one that wasi-nn has no
    number for, or None where the model does not tell and any is fit.
    """

    name: str
    element: str | None
    dims: tuple[Dim, ...] | None

    def shape(self) -> str:
        """Return the axes as text.

        >>> Port("x", "f32", (Dim(1, 1), Dim(0, None))).shape()
        '1x?'
        """
        if self.dims is None:
            return "any rank"
        return "x".join(map(str, self.dims)) or "a scalar"


class BackendFailure(Exception):
    """The framework could not do what was asked, in its own words."""


class Missing(Exception):
    """What it takes is not installed here; the text says how to install it."""


class ExecutionContext(Protocol):
    """One inference at a time over a graph, with its own inputs and outputs."""

    def set_input(self, index: int, element: str, dims: Sequence[int], data: memoryview) -> None:
        """Copy an input, which the caller has checked and lends; raises BackendFailure.

        ``data`` is one-dimensional bytes in the guest's memory, as many as its dims have.
        """
        ...

    def compute(self) -> None:
        """Infer; every input was set. Raises BackendFailure, also after ``cancel``."""
        ...

    def cancel(self) -> None:
        """Ask a running ``compute`` to end; called from another thread."""
        ...

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output, valid until the next call; raises BackendFailure."""
        ...

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and the axes of an output as the last ``compute`` made it."""
        ...


class Graph(Protocol):
    """A compiled model."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs, in the order of their indices."""
        ...

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs, in the order of their indices."""
        ...

    def context(self) -> ExecutionContext:
        """Return a context of its own; raises BackendFailure."""
        ...


class Backend(Protocol):
    """A framework that reads some encodings."""

    def targets(self) -> Mapping[Target, str]:
        """Return the framework's device for each target that this machine has."""
        ...

    def load(self, encoding: Encoding, parts: Sequence[bytearray], device: str) -> Graph:
        """Compile a model from its bytes, which the backend may keep.

        Raises BackendFailure for bytes that are no such model, Missing for what is not installed.
        No file of the host is read on the model's word.
        """
        ...

    def load_files(self, encoding: Encoding, files: Sequence[Path], device: str) -> Graph:
        """Compile a model that the host's owner named; raises BackendFailure and Missing."""
        ...


Hint = Literal["latency", "throughput"]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What the host's owner asks of every framework; one that has no such thing leaves it.

    ``hint`` is what to be fast in, ``threads`` how many of the CPU an inference may use, ``cache``
    a folder for compiled models that the owner named; a guest's own are never kept there.
    """

    hint: Hint | None = None
    threads: int | None = None
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A framework by the name that ``--backend`` knows it by, and the encodings that it reads.

    ``runs_models_code`` tells that its models are programs, which can do all that this process
    can: then a guest's bytes are loaded only where the owner chose the framework by name.
    """

    name: str
    encodings: tuple[Encoding, ...]
    start: Callable[[Tuning], Backend]
    runs_models_code: bool = False
