"""The steps of a run, read from its event log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.report.events import (
    Event,
    RunFinished,
    RunStarted,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
    read_events,
)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failed step, with the fields of its error; ``earlier`` if it failed in a previous run."""

    step: str
    code: str
    message: str
    where: str = ""
    expected: str = ""
    found: str = ""
    hint: str = ""
    detail: str = ""
    earlier: bool = False


@dataclass(frozen=True, kw_only=True)
class LoggedStep:
    """A step that started: ``start`` is seconds since the start of the run.

    ``outcome`` is built, restored, up to date, failed, skipped, or cut off; ``thread`` counts
    from 1.
    """

    name: str
    outcome: str
    start: float
    seconds: float
    thread: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BlockedStep:
    """A step that did not run: what it needs, or why it was skipped."""

    step: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """One run; ``exit_code`` is None if it was killed or is still running.

    ``idle`` is the number of later runs that had nothing to do.
    """

    began: float
    seconds: float
    arguments: tuple[str, ...]
    pipeline: str
    python: str
    exit_code: int | None
    interrupted: bool
    steps: tuple[LoggedStep, ...]
    untouched: tuple[str, ...]
    failures: tuple[Failure, ...]
    blocked: tuple[BlockedStep, ...]
    skipped: tuple[BlockedStep, ...]
    idle: int = 0


def last_run(folder: Path) -> RunLog | None:
    """Return the last run in a folder of event logs that had something to do, or None."""
    idle = 0
    for path in sorted(folder.glob("*.ndjson"), reverse=True):
        try:
            run = run_of(read_events(path), idle)
        except OSError:
            continue
        if run is None:
            continue
        if run.steps or run.blocked:
            return run
        idle += 1
    return None


def run_of(events: Iterable[Event], idle: int = 0) -> RunLog | None:
    """Return the run of these events, or None if its start is missing."""
    every = list(events)
    first = next((event for event in every if isinstance(event, RunStarted)), None)
    if first is None:
        return None
    last = next((event for event in every if isinstance(event, RunFinished)), None)
    began: dict[str, StepStarted] = {}
    steps: list[LoggedStep] = []
    failures: list[Failure] = []
    blocked: list[BlockedStep] = []
    skipped: list[BlockedStep] = []
    end = max(event.time for event in every)

    def ended(name: str, outcome: str, time: float) -> None:
        start = began.pop(name, None)
        if start is not None:
            steps.append(
                LoggedStep(
                    name=name,
                    outcome=outcome,
                    start=max(0.0, start.time - first.time),
                    seconds=max(0.0, time - start.time),
                    thread=start.thread,
                    reasons=start.reasons,
                )
            )

    for event in every:
        match event:
            case StepStarted():
                began[event.step] = event
            case StepFinished():
                ended(event.step, event.outcome, event.time)
            case StepFailed():
                ended(event.step, "failed", event.time)
                failures.append(_failure(event))
            case StepSkipped():
                ended(event.step, "skipped", event.time)
                skipped.append(BlockedStep(step=event.step, reason=event.message))
            case StepBlocked():
                blocked.append(BlockedStep(step=event.step, reason=event.reason))
    for name in list(began):
        ended(name, "cut off", end)
    return RunLog(
        began=first.time,
        seconds=last.seconds if last else end - first.time,
        arguments=tuple(first.arguments),
        pipeline=first.pipeline,
        python=first.python,
        exit_code=last.exit_code if last else None,
        interrupted=last.interrupted if last else False,
        steps=_threaded(steps),
        untouched=last.untouched if last else (),
        failures=tuple(failures),
        blocked=tuple(blocked),
        skipped=tuple(skipped),
        idle=idle,
    )


def _threaded(steps: Iterable[LoggedStep]) -> tuple[LoggedStep, ...]:
    """Return the steps by start time; a step without a thread gets the first free one."""
    placed: list[LoggedStep] = []
    free: dict[int, float] = {}
    for step in sorted(steps, key=lambda step: step.start):
        thread = step.thread or next(
            (lane for lane in sorted(free) if free[lane] <= step.start), len(free) + 1
        )
        free[thread] = step.start + step.seconds
        placed.append(replace(step, thread=thread))
    return tuple(placed)


def _failure(event: StepFailed) -> Failure:
    return Failure(
        step=event.step,
        code=event.code,
        message=event.message,
        where=event.where,
        expected=event.expected,
        found=event.found,
        hint=event.hint,
        detail=event.detail,
    )
