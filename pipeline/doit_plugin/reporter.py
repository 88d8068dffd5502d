"""Pass doit's events to the console, and compute the exit code of the run."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.doit_plugin.interrupts import raise_interrupts
from pipeline.doit_plugin.skippable_guests import skippable_guests
from pipeline.errors import PipelineError
from pipeline.report.console.protocol import Console, IncompleteSteps, Verbosity
from pipeline.report.console.terminal import to_devnull
from pipeline.report.verified_cases import verified_rows

if TYPE_CHECKING:
    from pipeline.report.events import EventLog


class _Engine(Protocol):
    @property
    def console(self) -> Console: ...

    skippable_guests: set[str]
    verbosity: Verbosity

    @property
    def events(self) -> EventLog: ...
    def close(self) -> None: ...
    def evidence(self) -> dict[str, Path]: ...
    @property
    def report_place(self) -> Path: ...
    def report(self, *, known: Collection[str]) -> Path: ...


class Reporter:
    """The reporter of one run.

    doit ends with 2 when a step was blocked by one that failed; here a failed run ends with 1,
    one that was ended by Ctrl-C with 130, by SIGTERM with 143.
    """

    desc = "progress on a terminal, plain lines elsewhere, and a table of what was verified"

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._started: dict[str, float] = {}
        self._reached: list[str] = []
        self._untouched: list[str] = []
        self._ran = 0
        self._failed: dict[str, str] = {}
        self._blocked: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._total = 0
        self._begun = time.monotonic()

    def initialize(self, tasks: dict[str, Any], selected_tasks: list[str]) -> None:
        """Count the steps that the run may reach."""
        from pipeline.report.events import VERSION, RunStarted

        waiting, seen = list(selected_tasks), set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [*tasks[name].task_dep, *tasks[name].setup_tasks]
        self._engine.skippable_guests = skippable_guests(tasks, seen, selected_tasks)
        self._total = sum(1 for name in seen if not tasks[name].has_subtask)
        raise_interrupts()
        self._begun = time.monotonic()
        self._engine.events.write(
            RunStarted(
                version=VERSION,
                arguments=sys.argv[1:],
                steps=self._total,
                pipeline=version("wasi-nn-pipeline"),
                python=platform.python_version(),
                process=os.getpid(),
            )
        )

    def get_status(self, task: Any) -> None:
        """A step is about to be checked."""

    def execute_task(self, task: Any) -> None:
        """A step starts."""
        if not task.has_subtask:
            self._started[task.name] = time.monotonic()
            self._engine.console.started(task.name, task.doc or "", self._total)

    def add_success(self, task: Any) -> None:
        """A step ended well, or is a guest that was left out."""
        if task.has_subtask:
            return
        if reason := task.values.get("error"):
            self._skipped[task.name] = reason
            self._engine.console.skipped(task.name, reason)
        else:
            self._ran += 1
            self._reached.append(task.name)
            seconds = time.monotonic() - self._started[task.name]
            self._engine.console.finished(task.name, task.values["outcome"], seconds)

    def skip_uptodate(self, task: Any) -> None:
        """A step had nothing to do."""
        if not task.has_subtask:
            self._reached.append(task.name)
            self._untouched.append(task.name)
            if self._ran or self._started or self._engine.verbosity is Verbosity.VERBOSE:
                self._engine.console.current(task.name)

    def skip_ignore(self, task: Any) -> None:
        """A step is ignored; there are none, since nothing is kept that could say so."""

    def add_failure(self, task: Any, fail: Any) -> None:
        """A step failed, or was blocked by one that did."""
        if type(fail).__name__ == "UnmetDependency":
            from pipeline.report.events import StepBlocked

            self._blocked[task.name] = fail.message
            self._engine.events.write(StepBlocked(step=task.name, reason=fail.message))
            return
        text = fail.get_msg().rstrip()
        self._failed[task.name] = text
        self._engine.console.failed(task.name, text)

    def cleanup_error(self, exception: Any) -> None:
        """A teardown failed."""
        sys.stderr.write(exception.get_msg())

    def runtime_error(self, msg: str) -> None:
        """Doit itself cannot go on."""
        self._failed["doit"] = msg

    def teardown_task(self, task: Any) -> None:
        """A teardown starts."""

    def complete_run(self) -> None:
        """Close the workers and say how the run ended."""
        from pipeline.report.events import RunFinished

        cause = sys.exc_info()[1]
        interrupted = isinstance(cause, (KeyboardInterrupt, SystemExit))
        if interrupted:
            self._engine.close()
        code = self._exit_code(cause)
        self._engine.events.write(
            RunFinished(
                exit_code=code,
                interrupted=interrupted,
                seconds=time.monotonic() - self._begun,
                current=len(self._reached) - self._ran,
                ran=self._ran,
                failed=len(self._failed),
                blocked=len(self._blocked),
                untouched=tuple(self._untouched) if self._started else (),
            )
        )
        self._engine.events.close()
        if interrupted:
            self._engine.console.close()
            print("interrupted; finished steps are kept, nothing is half-written", file=sys.stderr)
        elif self._ran or self._failed or self._skipped:
            reports = self._engine.evidence()
            rows = verified_rows([reports[name] for name in self._reached if name in reports])
            incomplete = IncompleteSteps(self._failed, self._blocked, self._skipped)
            self._engine.console.summary(rows, incomplete)
        elif self._reached and self._engine.verbosity is not Verbosity.QUIET:
            _print(f"nothing to do: {len(self._reached)} steps are up to date")
        if not interrupted:
            self._report()
            self._engine.close()
        if code:
            raise SystemExit(code)

    def _report(self) -> None:
        """Write the page for people, where this run changed what it says; that never fails a run.

        A run that found nothing to do leaves it alone, if it is there.
        """
        if not (self._started or self._blocked) and self._engine.report_place.exists():
            return
        try:
            place = self._engine.report(known=self._reached)
        except PipelineError as error:
            print(f"no report: {error.message} {error.where} {error.found}", file=sys.stderr)
        except Exception as error:
            print(f"no report: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            if self._engine.verbosity is not Verbosity.QUIET:
                _print(f"report: {shown(place)}")

    def _exit_code(self, cause: BaseException | None) -> int:
        if isinstance(cause, KeyboardInterrupt):
            return 128 + signal.SIGINT
        if isinstance(cause, SystemExit):
            return int(cause.code or 0)
        return 1 if self._failed else 0


def shown(path: Path) -> str:
    """Return a path as it is shortest to type here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        to_devnull(sys.stdout)
