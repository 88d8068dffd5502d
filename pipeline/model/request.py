"""What a conversion is asked for, the same words for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from pipeline.config.model_tables import ModelInput


@dataclass(frozen=True, kw_only=True)
class Request:
    """One conversion: the framework's files, the fixed inputs, and the precision of the weights.

    ``files`` maps the framework's own names (``weights``, ``saved_model.pb``…) to paths.
    ``environment`` is the locked environment of the converter, where it needs one.
    """

    name: str
    files: Mapping[str, Path]
    inputs: Mapping[str, ModelInput]
    half: bool
    seconds: float
    environment: Path | None


class Converter(Protocol):
    """One framework's way to IR."""

    def __call__(self, request: Request, folder: Path) -> Path:
        """Convert inside ``folder`` and return the xml; its .bin lies beside it.

        Raises PipelineError (MODEL) with the converter's own last lines.
        """
        ...


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output of an IR: its names, fixed shape and element type."""

    name: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    type: str


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs and outputs of an IR, in the order of their indices."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
