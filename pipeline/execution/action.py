"""An action: one step of the pipeline as a value, whose key is a hash of all it depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, runtime_checkable

from pipeline.execution.progress import ProgressCallback, no_progress
from pipeline.execution.step_name import StepName


class Isolation(Enum):
    """Where a step runs: a thread of this process, or a supervised worker process."""

    THREAD = "thread"
    WORKER = "worker"


@runtime_checkable
class Portable(Protocol):
    """An unkeyed value that names files of this machine, and has a counterpart on another."""

    def files(self) -> Mapping[str, Path]:
        """Return the files of this machine that the other one needs."""

    def relocated(self, files: Mapping[str, Path], folder: Path) -> object:
        """Return what it is there: with copies of ``files``, and ``folder`` for what is kept."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a recipe is given. It writes every output, and nothing else.

    ``inputs`` are paths to read. ``outputs`` are paths in a private folder, each with the name that
    the target has; they become visible together, when the recipe has returned. ``parameters`` is
    plain data, as JSON holds it, and part of the key. ``unkeyed`` says from where and with what
    (mirrors, cache folders, whether a network may be used): it shapes how the outputs come about,
    never what they are, and is not part of the key. ``scratch`` is an empty folder that goes when
    the step ends. ``progress`` shows a line of progress, with its numbers where it has some, such
    as the bytes of a download.
    """

    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    parameters: Mapping[str, object]
    scratch: Path
    unkeyed: Mapping[str, object] = field(default_factory=dict)
    progress: ProgressCallback = no_progress


Recipe = Callable[[Job], None]


@dataclass(frozen=True)
class Declaration:
    """The table of a config that a step comes from: the file, from the project's folder on."""

    file: str = ""
    table: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Action:
    """One step: ``recipe`` makes ``outputs`` from ``inputs`` and ``parameters``.

    ``fixture`` is the fixture that it is of, '' if it serves several; ``case`` the case or the
    dataset. ``evidence`` is the report of what was verified, an output or a file of one.

    The recipe is a function of a module, and its code is part of the key; ``tools`` names the
    installed packages whose versions shape the result. An output whose label ends in ``/`` is a
    folder. With ``restorable`` false an output is never restored from the cache. ``invalidates``
    are files that describe the outputs; they are deleted before those change. ``folders`` are those
    that the step was declared by, each with the version that was seen.
    """

    kind: str
    label: str
    title: str
    recipe: Recipe
    outputs: Mapping[str, Path]
    fixture: str = ""
    case: str = ""
    declared: Declaration = field(default_factory=Declaration)
    evidence: Path | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    unkeyed: Mapping[str, object] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    isolation: Isolation = Isolation.THREAD
    seconds: float = 600.0
    restorable: bool = True
    invalidates: tuple[Path, ...] = ()
    folders: Mapping[Path, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the step, which doit's task has too."""
        return str(StepName(self.kind, self.label))

    @property
    def subject(self) -> str:
        """Return the fixture that the step is of, or its guest or toolchain."""
        return self.fixture or self.label

    @property
    def written(self) -> tuple[Path, ...]:
        """Return the files that other steps may read: the outputs, and the evidence in one."""
        return (*self.outputs.values(), *((self.evidence,) if self.evidence else ()))
