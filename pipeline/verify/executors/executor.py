"""What an executor of a source model is asked, what it answers, and where it lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.config.model_tables import Framework


@dataclass(frozen=True, kw_only=True)
class Question:
    """One inference of a source model.

    ``files`` and ``inputs`` (arrays) have the framework's own names, ``outputs`` are the names of
    what is wanted. ``folder`` is empty and private; ``python`` is the interpreter that has the
    framework, and ``seconds`` its wall time, for an executor that runs apart.
    """

    files: Mapping[str, Path]
    inputs: Mapping[str, Any]
    outputs: Sequence[str]
    architecture: str | None
    folder: Path
    python: Path
    seconds: float


@dataclass(frozen=True)
class Answer:
    """The arrays of the outputs that were asked for, in that order, and the runtime's version."""

    outputs: Sequence[Any]
    version: str


class Run(Protocol):
    """Runs a source model once."""

    def __call__(self, question: Question) -> Answer:
        """Return the answer; raises PipelineError (VERIFY, TIME_LIMIT)."""
        ...


@dataclass(frozen=True)
class Executor:
    """A runtime that shares no code with OpenVINO.

    It is the ``package`` that is installed here or, with a ``toolchain``, the one in there.
    """

    reads: Framework
    run: Run
    package: str
    toolchain: str | None = None
