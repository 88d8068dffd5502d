"""What happened in a run, one JSON object a line: for programs, and for whoever asks later.

Each line has ``event`` and ``time`` (seconds since 1970). A run that is killed leaves whole lines,
or a last one that is cut; readers skip what is no JSON. The first line has the format's version.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from pipeline.work.amount import Amount

_KEPT_RUNS = 50
VERSION = 1
# The end of the year 9999, after which no date can be written.
_LAST_MOMENT = 253402300799


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    time: Annotated[float, msgspec.Meta(ge=0, le=_LAST_MOMENT)] = msgspec.field(
        default_factory=time.time
    )


class RunStarted(_Event, frozen=True, tag="run-started"):
    """A run begins: its arguments, the steps that it may reach, and what runs it."""

    version: int
    arguments: list[str]
    steps: int
    pipeline: str
    python: str
    process: int


class StepStarted(_Event, frozen=True, tag="step-started"):
    """A step is not up to date and begins: in which of the run's threads, from 1, and why."""

    step: str
    thread: int = 0
    reasons: tuple[str, ...] = ()


class StepProgress(_Event, frozen=True, tag="step-progress"):
    """What a step says of itself: bytes of a download, or what it waits for; and its numbers."""

    step: str
    text: str
    amount: Amount | None = None


class StepFinished(_Event, frozen=True, tag="step-finished"):
    """A step ended well: built, restored or up to date; the SHA-256 of each output by its path."""

    step: str
    outcome: str
    seconds: float
    key: str
    outputs: dict[str, str]


class StepFailed(_Event, frozen=True, tag="step-failed"):
    """A step failed; the fields are those that the terminal shows."""

    step: str
    code: str
    message: str
    where: str = ""
    expected: str = ""
    found: str = ""
    hint: str = ""
    detail: str = ""


class StepBlocked(_Event, frozen=True, tag="step-blocked"):
    """A step was not tried, since one that it needs failed."""

    step: str
    reason: str


class RunFinished(_Event, frozen=True, tag="run-finished"):
    """A run ended: with which exit code, after how long, with how many steps in each way.

    Of a run that did something, ``untouched`` names the steps that were up to date.
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
    RunStarted | StepStarted | StepProgress | StepFinished | StepFailed | StepBlocked | RunFinished
)


class EventLog:
    """The log of one run, in ``<folder>/<time>-<process>.ndjson``; the last 50 runs are kept.

    Where it cannot be written, the run goes on without.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        self._stream: BinaryIO | None = None
        self._off = False
        self._threads: dict[int, int] = {}

    def write(self, event: Event) -> None:
        """Add a line, which is whole on disk or in the system's hands when this returns."""
        with self._guard:
            try:
                if self._stream is None and not self._off:
                    self._stream = self._open()
                if self._stream is not None:
                    self._stream.write(msgspec.json.encode(event) + b"\n")
            except OSError:
                self._off, self._stream = True, None

    def thread(self) -> int:
        """Return the number of the calling thread among those of the run, counted from 1."""
        with self._guard:
            return self._threads.setdefault(threading.get_ident(), len(self._threads) + 1)

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
    """Yield the events of a log; lines that are no events are skipped."""
    decoder = msgspec.json.Decoder(Event)
    for line in path.read_bytes().splitlines():
        with suppress(msgspec.MsgspecError, RecursionError):
            yield decoder.decode(line)
