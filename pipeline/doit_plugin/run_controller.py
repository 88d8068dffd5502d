"""The course of a run: it brings steps up to date, and emits events to those who subscribe."""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from importlib.metadata import version
from typing import TYPE_CHECKING

from doit.exceptions import TaskFailed

from pipeline.doit_plugin.project import ProjectContext
from pipeline.doit_plugin.step_faults import internal_error
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress
from pipeline.graph.source_locations import source_location
from pipeline.report.events import (
    VERSION,
    Event,
    EventLog,
    RunInterrupted,
    RunStarted,
    StepBlocked,
    StepCurrent,
    StepFailed,
    StepFinished,
    StepProgress,
    StepSkipped,
    StepStarted,
    Subscriber,
)
from pipeline.report.run_tally import RunTally

if TYPE_CHECKING:
    from pipeline.execution.builder import BuildResult, Inspection

_FORCED = "forced by doit -a"


class RunController:
    """Runs the steps of a project; ``close`` ends its workers and closes it.

    The event log and the tally subscribe from the start, others by ``subscribe``. Steps run in
    several threads, so subscribers are called by several.
    """

    def __init__(self, project: ProjectContext, close: Callable[[], None]) -> None:
        self.project = project
        self._close = close
        self._skippable: Collection[str] = ()
        self._threads: dict[int, int] = {}
        self._guard = threading.Lock()
        self.tally = RunTally()
        self._subscribers: list[Subscriber] = [self.tally, EventLog(project.events).write]

    def subscribe(self, subscriber: Subscriber) -> None:
        """Let it have each event from now on, after those who subscribed before."""
        self._subscribers.append(subscriber)

    def start(self, steps: int, skippable: Collection[str]) -> None:
        """Begin a run of so many steps; guests that are ``skippable`` need no compiler."""
        self._skippable = skippable
        self._emit(
            RunStarted(
                version=VERSION,
                arguments=sys.argv[1:],
                steps=steps,
                pipeline=version("wasi-nn-pipeline"),
                python=platform.python_version(),
                process=os.getpid(),
            )
        )

    def current(self, step: str) -> None:
        """Note that a step is up to date."""
        self._emit(StepCurrent(step=step))

    def blocked(self, step: str, needs: str) -> None:
        """Note that a step cannot run, since one that it needs failed."""
        self._emit(StepBlocked(step=step, reason=needs))

    def failed(self, step: str, text: str) -> None:
        """Note a failure that doit reports; that of a step which ran here is known."""
        if step not in self.tally.failed:
            message, _, detail = text.partition("\n")
            code = Code.INTERNAL.value
            self._emit(StepFailed(step=step, code=code, message=message, detail=detail))

    def run(
        self, name: str, *, force: bool, inspection: Inspection | None = None
    ) -> TaskFailed | dict[str, str]:
        """Bring a step up to date; return what doit keeps of it, or how it failed.

        ``force`` runs the recipe whatever is there.
        """
        graph = self.project.graph
        action = graph.steps[name]

        def started(reasons: tuple[str, ...]) -> None:
            reasons, thread = reasons or (_FORCED,), self._thread()
            self._emit(StepStarted(step=name, title=action.title, thread=thread, reasons=reasons))
            graph.note_published(action)

        def progress(text: str, amount: Progress | None = None, /) -> None:
            self._emit(StepProgress(step=name, text=text, amount=amount))

        try:
            result = self.project.builder.build(
                action, progress, force=force, inspection=inspection, started=started
            )
        except PipelineError as error:
            place = source_location(self.project.root, action.declared)
            error.where = f"{error.where}; declared in {place}" if error.where else place
            if error.code is Code.TOOLCHAIN and name in self._skippable:
                self._emit(StepSkipped.of(name, error))
                return {"outcome": "skipped"}
            return self._failed(name, error)
        except Exception as error:
            return self._failed(name, internal_error(action, error))
        self._emit(_finished(name, result))
        return {"outcome": result.outcome.value}

    def finish(self, cause: BaseException | None) -> int:
        """End the run, by a signal if ``cause`` is its exception; return the exit code.

        That is 0, or 1 if a step failed, 130 after Ctrl-C, 143 after SIGTERM.
        """
        interrupted = isinstance(cause, (KeyboardInterrupt, SystemExit))
        if interrupted:
            self._emit(RunInterrupted())
            self._close()
        end = self.tally.finished(_exit_code(cause) if interrupted else None)
        self._emit(end)
        if not interrupted:
            self._close()
        return end.exit_code

    def _emit(self, event: Event) -> None:
        for subscriber in self._subscribers:
            subscriber(event)

    def _thread(self) -> int:
        """Return the number of the calling thread in the run, from 1."""
        with self._guard:
            return self._threads.setdefault(threading.get_ident(), len(self._threads) + 1)

    def _failed(self, name: str, error: PipelineError) -> TaskFailed:
        from pipeline.cache.history import FailureRecord

        self._emit(StepFailed.of(name, error))
        failed = FailureRecord(
            code=error.code.value,
            message=error.message,
            when=time.time(),
            evidence=error.evidence,
        )
        self.project.history.record_failure(name, failed)
        return TaskFailed(error.render())


def _finished(name: str, result: BuildResult) -> StepFinished:
    return StepFinished(
        step=name,
        outcome=result.outcome.value,
        seconds=result.record.seconds,
        key=result.key,
        outputs={
            f"{label}{member}": digest.sha256
            for label, members in result.record.outputs.items()
            for member, digest in members.items()
        },
    )


def _exit_code(cause: BaseException | None) -> int:
    if isinstance(cause, SystemExit):
        return int(cause.code or 0)
    return 128 + signal.SIGINT
