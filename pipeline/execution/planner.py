"""What a run would do, computed without running anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

from pipeline.cache.action_records import Record
from pipeline.cache.digest import Digest, key_of
from pipeline.cache.history import History
from pipeline.errors import PipelineError
from pipeline.execution.action import Action
from pipeline.execution.builder import Builder
from pipeline.execution.reasons import reasons_to_run, reasons_unreadable, targets


class Intent(Enum):
    """What a run would do with a step."""

    CURRENT = "current"
    RESTORE = "restore"
    RUN = "run"
    DEPENDS = "depends"


@dataclass(frozen=True)
class PlannedStep:
    """What a run would do with a step, why, and how long it took the last time, if known.

    ``key`` is the step's present key, or None where that depends on what has yet to be made.
    """

    action: Action
    key: str | None
    intent: Intent
    reasons: tuple[str, ...]
    seconds: float | None

    @property
    def name(self) -> str:
        """Return the name of the step."""
        return self.action.name


class Planner:
    """Follows the actions in the order in which data flows; runs and writes nothing.

    What an earlier action would give is known when it would be restored, and unknown when it
    would run: then those after it depend on what comes out.
    """

    def __init__(self, builder: Builder, history: History) -> None:
        self._builder = builder
        self._history = history
        self._planned: dict[Path, Digest] = {}
        self._unknown: dict[Path, str] = {}

    def plan(self, actions: Iterable[Action]) -> list[PlannedStep]:
        """Return what a run would do with each."""
        return [self._next(action) for action in actions]

    def _next(self, action: Action) -> PlannedStep:
        made = self._history.last_build(action.name)
        seconds = made.seconds if made else None
        awaited = {self._unknown[path] for path in action.inputs.values() if path in self._unknown}
        if awaited:
            self._expect(action, None)
            reasons = tuple(f"depends on {name}, which would run" for name in sorted(awaited))
            return PlannedStep(action, None, Intent.DEPENDS, reasons, seconds)
        try:
            parts = self._builder.parts(action, self._planned)
        except PipelineError as error:
            self._expect(action, None)
            reasons = reasons_unreadable(self._history, action, error)
            return PlannedStep(action, None, Intent.RUN, reasons, seconds)
        key = key_of(parts)
        record = self._builder.cache.peek(key)
        if record is not None and self._builder.outputs_match(action, record):
            self._expect(action, record)
            return PlannedStep(action, key, Intent.CURRENT, (), seconds)
        code, digest = partial(self._builder.code, action), self._builder.cache.digests.digest
        reasons = reasons_to_run(self._history, action, parts, record, code, digest)
        if record is not None and self._builder.restorable(action, record):
            self._expect(action, record)
            return PlannedStep(action, key, Intent.RESTORE, reasons, 0.0)
        self._expect(action, None)
        return PlannedStep(action, key, Intent.RUN, reasons, seconds)

    def _expect(self, action: Action, record: Record | None) -> None:
        """Note what the step's outputs would be."""
        if record is not None:
            for path, digest in targets(action, record) or ():
                self._planned[path] = digest
            return
        self._unknown.update(dict.fromkeys(action.written, action.name))
