"""The interface of a console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from pipeline.execution.progress import Progress
from pipeline.report.verified_cases import Row


class Verbosity(Enum):
    """Verbosity: failures only; also results; or also the output of each step."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


@dataclass(frozen=True)
class IncompleteSteps:
    """What a run did not do: steps that failed, that were blocked by those, and that were skipped.

    Each maps to the text of its error; a blocked step to what it needs.
    """

    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


class Console(Protocol):
    """Where a run is shown. All methods are thread-safe."""

    def expect(self, total: int) -> None:
        """The run has ``total`` steps."""
        ...

    def started(self, name: str, title: str, total: int) -> None:
        """A step has started, of ``total`` in the run."""
        ...

    def progress(self, name: str, text: str, amount: Progress | None = None) -> None:
        """A running step reports progress, such as the bytes of a download."""
        ...

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """A step has succeeded."""
        ...

    def current(self, name: str) -> None:
        """A step was up to date."""
        ...

    def failed(self, name: str, text: str) -> None:
        """A step has failed."""
        ...

    def skipped(self, name: str, text: str) -> None:
        """A step was skipped; the text is the reason."""
        ...

    def summary(self, rows: Sequence[Row], incomplete: IncompleteSteps) -> None:
        """The run has ended."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...
