"""What a run would do, found out without doing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.cache.action_records import Record
from pipeline.cache.digest import Digest, key_of
from pipeline.cache.history import BuildRecord, History, failed_last_time
from pipeline.errors import PipelineError
from pipeline.execution.action import Action
from pipeline.execution.builder import Builder, targets
from pipeline.execution.key_changes import changes, code_changes


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

    name: str
    key: str | None
    intent: Intent
    reasons: tuple[str, ...]
    seconds: float | None


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
            reasons = [f"depends on {name}, which would run" for name in sorted(awaited)]
            return PlannedStep(action.name, None, Intent.DEPENDS, tuple(reasons), seconds)
        try:
            parts = self._builder.parts(action, self._planned)
        except PipelineError as error:
            self._expect(action, None)
            unreadable = _unreadable(self._history, action, error)
            return PlannedStep(action.name, None, Intent.RUN, unreadable, seconds)
        key = key_of(parts)
        record = self._builder.cache.peek(key)
        if record is not None and self._builder.outputs_match(action, record):
            self._expect(action, record)
            return PlannedStep(action.name, key, Intent.CURRENT, (), seconds)
        reasons = _reasons(self._builder, self._history, action, parts, record)
        if record is not None and self._builder.restorable(action, record):
            self._expect(action, record)
            return PlannedStep(action.name, key, Intent.RESTORE, tuple(reasons), 0.0)
        self._expect(action, None)
        return PlannedStep(action.name, key, Intent.RUN, tuple(reasons), seconds)

    def _expect(self, action: Action, record: Record | None) -> None:
        """Note what the step's outputs would be."""
        if record is not None:
            for path, digest in targets(action, record) or ():
                self._planned[path] = digest
            return
        for label, path in action.outputs.items():
            made = path / "report.json" if label.endswith("/") else path
            self._unknown[made] = action.name


def why(builder: Builder, history: History, action: Action) -> tuple[str, ...]:
    """Return why a step is about to run or to be restored; nothing where it is current.

    Asks no remote cache: that is about to be asked anyway.
    """
    try:
        parts = builder.parts(action)
    except PipelineError as error:
        return _unreadable(history, action, error)
    record = builder.cache.records.get(key_of(parts))
    if record is not None and builder.outputs_match(action, record):
        return ()
    return tuple(_reasons(builder, history, action, parts, record))


def _failed(history: History, action: Action) -> list[str]:
    failed = history.last_failure(action.name)
    return [] if failed is None else [failed_last_time(failed)]


def _unreadable(history: History, action: Action, error: PipelineError) -> tuple[str, ...]:
    """Return the reasons for a step whose inputs cannot be read."""
    failed = history.last_failure(action.name)
    if failed is None:
        return (error.message,)
    same = failed.message == error.message
    return (failed_last_time(failed),) if same else (failed_last_time(failed), error.message)


def _reasons(
    builder: Builder,
    history: History,
    action: Action,
    parts: Mapping[str, Any],
    record: Record | None,
) -> list[str]:
    made = history.last_build(action.name)
    reasons = _changed(made, parts, builder.code(action)) if made else []
    if not reasons:
        reasons = _target_changes(builder, action, record) if record else []
    if record is None and (failed := _failed(history, action)):
        return [*failed, *reasons]
    return reasons or ["never built in this project" if made is None else "no cache record"]


def _changed(made: BuildRecord, parts: Mapping[str, Any], code: Mapping[str, str]) -> list[str]:
    old, new = dict(made.parts), dict(parts)
    if not made.code:
        return [str(change) for change in changes(old, new)]
    # The files say more than the digest of them all.
    old["code"] = new["code"]
    return [*code_changes(made.code, code), *(str(change) for change in changes(old, new))]


def _target_changes(builder: Builder, action: Action, record: Record) -> list[str]:
    reasons = []
    for path, digest in targets(action, record) or ():
        try:
            found = builder.cache.digests.digest(path)
        except FileNotFoundError:
            reasons.append(f"target {path.name} is missing")
        except OSError as error:
            reasons.append(f"target {path.name} cannot be read: {error.strerror}")
        else:
            if found != digest:
                old, new = digest.sha256[:12], found.sha256[:12]
                reasons.append(f"target {path.name} was changed: sha256 {old}… → {new}…")
    return reasons or ["its folder contains other files"]
