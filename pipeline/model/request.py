"""What a conversion is asked for, the same words for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from pipeline.config.model_tables import Model


@dataclass(frozen=True, kw_only=True)
class Request:
    """One conversion of ``model``, whose ``files`` are paths under the framework's own names.

    ``python`` is the interpreter that has the converter; ``seconds`` is its wall time.
    """

    name: str
    model: Model
    files: Mapping[str, Path]
    python: Path
    seconds: float

    @property
    def half(self) -> bool:
        """Whether the weights become f16."""
        return self.model.precision == "f16"


class Converter(Protocol):
    """One framework's way to IR."""

    def __call__(self, request: Request, folder: Path) -> Path:
        """Convert inside ``folder`` and return the xml; its .bin lies beside it.

        Raises PipelineError (MODEL) with the converter's own last lines.
        """
        ...


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output of an IR: its names, element type, and shape as the config fixes it."""

    name: str
    """The first of its names."""
    names: tuple[str, ...]
    """All of its names."""
    shape: tuple[int, ...]
    """The size of every axis."""
    type: str
    """Its element type."""


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs and outputs of an IR, in the order of their indices."""

    inputs: tuple[Port, ...]
    """What goes in."""
    outputs: tuple[Port, ...]
    """What comes out."""
