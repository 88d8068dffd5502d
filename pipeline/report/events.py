"""The events of a run, and its event log: one JSON object per line, for programs and reports.

Each line has ``event`` and ``time`` (seconds since 1970). A killed run may leave a truncated last
line; readers skip lines that are not JSON. The first line has the version of the format.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Self

import msgspec

from pipeline.cache.json_decoding import json_decoder
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress

_KEPT_RUNS = 50
_PROGRESS_SECONDS = 1.0
VERSION = 1
# The end of year 9999, the last date that datetime can format.
_LAST_MOMENT = 253402300799


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    time: Annotated[float, msgspec.Meta(ge=0, le=_LAST_MOMENT)] = msgspec.field(
        default_factory=time.time
    )


class RunStarted(_Event, frozen=True, tag="run-started"):
    """A run started: its arguments, the number of its steps, and its environment."""

    version: int
    arguments: list[str]
    steps: int
    pipeline: str
    python: str
    process: int


class StepStarted(_Event, frozen=True, tag="step-started"):
    """A step that is not up to date started: its thread in the run, from 1, and the reasons."""

    step: str
    title: str = ""
    thread: int = 0
    reasons: tuple[str, ...] = ()


class StepProgress(_Event, frozen=True, tag="step-progress"):
    """Progress of a step: a text, and an amount such as the bytes of a download."""

    step: str
    text: str
    amount: Progress | None = None


class StepFinished(_Event, frozen=True, tag="step-finished"):
    """A step succeeded: built, restored or up to date; the SHA-256 of each output by its path."""

    step: str
    outcome: str
    seconds: float
    key: str
    outputs: dict[str, str]


class StepCurrent(_Event, frozen=True, tag="step-current"):
    """A step was up to date; the log has these together, as ``untouched`` of the run's end."""

    step: str


class _StepError(_Event, frozen=True):
    step: str
    code: str
    message: str
    where: str = ""
    expected: str = ""
    found: str = ""
    hint: str = ""
    detail: str = ""

    @classmethod
    def of(cls, step: str, error: PipelineError) -> Self:
        """Return the event of a step's error."""
        return cls(
            step=step,
            code=error.code.value,
            message=error.message,
            where=error.where,
            expected=error.expected,
            found=error.found,
            hint=error.hint,
            detail=error.detail,
        )

    def render(self) -> str:
        """Return the error as text for the terminal."""
        return PipelineError(
            Code(self.code),
            self.message,
            where=self.where,
            expected=self.expected,
            found=self.found,
            hint=self.hint,
            detail=self.detail,
        ).render()


class StepFailed(_StepError, frozen=True, tag="step-failed"):
    """A step failed; the fields are those of its error."""


class StepSkipped(_StepError, frozen=True, tag="step-skipped"):
    """A guest was left out, since its compiler is missing; the fields are those of that error."""


class StepBlocked(_Event, frozen=True, tag="step-blocked"):
    """A step did not run because one that it needs failed."""

    step: str
    reason: str


class RunInterrupted(_Event, frozen=True, tag="run-interrupted"):
    """A signal ends the run; its running steps are killed. It is not logged: the end says so."""


class RunFinished(_Event, frozen=True, tag="run-finished"):
    """A run ended: its exit code, duration, and number of steps by outcome.

    If any step ran, ``untouched`` names the steps that were up to date.
    """

    exit_code: int
    interrupted: bool
    seconds: float
    current: int
    ran: int
    failed: int
    blocked: int
    untouched: tuple[str, ...] = ()


Event = (
    RunStarted
    | StepStarted
    | StepProgress
    | StepFinished
    | StepCurrent
    | StepFailed
    | StepSkipped
    | StepBlocked
    | RunInterrupted
    | RunFinished
)
Subscriber = Callable[[Event], None]


class EventLog:
    """The log of one run, in ``<folder>/<time>-<process>.ndjson``; the last 50 are kept.

    A step's progress is written once a second at most. If the log cannot be written, the run
    continues without it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        self._stream: BinaryIO | None = None
        self._off = False
        self._last_progress: dict[str, float] = {}

    def write(self, event: Event) -> None:
        """Append a line with a single write; the end of the run closes the file."""
        if isinstance(event, (StepCurrent, RunInterrupted)):
            return
        with self._guard:
            if isinstance(event, StepProgress):
                if event.time - self._last_progress.get(event.step, 0.0) < _PROGRESS_SECONDS:
                    return
                self._last_progress[event.step] = event.time
            try:
                if self._stream is None and not self._off:
                    self._stream = self._open()
                if self._stream is not None:
                    self._stream.write(msgspec.json.encode(event) + b"\n")
            except OSError:
                self._off, self._stream = True, None
        if isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            if self._stream is not None:
                self._stream.close()
            self._off, self._stream = True, None

    def _open(self) -> BinaryIO:
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(self.folder.glob("*.ndjson"))[: 1 - _KEPT_RUNS]:
            with suppress(OSError):
                old.unlink()
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        # Unbuffered: each line is one write.
        return (self.folder / f"{now}-{os.getpid()}.ndjson").open("xb", buffering=0)


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a log; invalid lines are skipped."""
    # A union is no type[T] for mypy.
    decoder: msgspec.json.Decoder[Event] = json_decoder(Event)  # type: ignore[arg-type]
    for line in path.read_bytes().splitlines():
        with suppress(msgspec.MsgspecError, RecursionError):
            yield decoder.decode(line)
