"""A conversion request and its result, common to all frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from pipeline.config.model_tables import Model


@dataclass(frozen=True, kw_only=True)
class Request:
    """One conversion of ``model``; ``files`` are paths by the framework's labels.

    ``python`` is the interpreter with the converter; ``seconds`` is its time limit.
    """

    name: str
    model: Model
    files: Mapping[str, Path]
    python: Path
    seconds: float

    @property
    def half(self) -> bool:
        """Whether weights are compressed to f16."""
        return self.model.precision == "f16"


class Converter(Protocol):
    """A converter from one framework to IR."""

    def __call__(self, request: Request, folder: Path) -> Path:
        """Convert inside ``folder`` and return the xml, with its .bin beside it.

        Raises PipelineError (MODEL) with the last lines of the converter's output.
        """
        ...


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output of an IR: its names, element type, and the shape set by the config."""

    name: str
    """The first of its names."""
    names: tuple[str, ...]
    """All of its names."""
    shape: tuple[int, ...]
    """The size of every axis."""
    type: str
    """Its element type."""


class CaseShapes(msgspec.Struct, frozen=True, kw_only=True):
    """The shapes of all inputs and outputs in one case, in the order of their indices."""

    inputs: tuple[tuple[int, ...], ...]
    """The shapes of the inputs."""
    outputs: tuple[tuple[int, ...], ...]
    """The shapes of the outputs."""


class Interface(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The inputs and outputs of an IR, in the order of their indices."""

    inputs: tuple[Port, ...]
    """The inputs."""
    outputs: tuple[Port, ...]
    """The outputs."""
    cases: dict[str, CaseShapes] = {}
    """The shapes of each case that has others, which dynamic axes allow."""

    def __post_init__(self) -> None:
        """Raise ValueError if a case has another number of inputs or outputs."""
        for case, shapes in self.cases.items():
            numbers = len(shapes.inputs), len(shapes.outputs)
            if numbers != (len(self.inputs), len(self.outputs)):
                raise ValueError(f"case {case!r} has the shapes of {numbers} inputs and outputs")

    def of_case(self, case: str) -> Interface:
        """Return the interface with the shapes of a case."""
        shapes = self.cases.get(case)
        if shapes is None:
            return msgspec.structs.replace(self, cases={})
        return Interface(
            inputs=_shaped(self.inputs, shapes.inputs),
            outputs=_shaped(self.outputs, shapes.outputs),
        )


def _shaped(ports: tuple[Port, ...], shapes: tuple[tuple[int, ...], ...]) -> tuple[Port, ...]:
    pairs = zip(ports, shapes, strict=True)
    return tuple(msgspec.structs.replace(port, shape=shape) for port, shape in pairs)
