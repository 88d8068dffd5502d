"""What doit reports of a run, passed to the run controller."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.doit_plugin.interrupts import raise_interrupts
from pipeline.doit_plugin.skippable_guests import skippable_guests
from pipeline.report.console.protocol import Verbosity

if TYPE_CHECKING:
    from pipeline.doit_plugin.run_controller import RunController


class Reporter:
    """doit's reporter of a run, whose controller is made when the run begins.

    doit ends with 2 when a step was blocked by one that failed; here the exit code is that of
    ``RunController.finish``.
    """

    desc = "progress on a terminal, plain lines elsewhere, and a table of what was verified"

    def __init__(self, controller: Callable[[], RunController]) -> None:
        self._controller = controller
        self.verbosity = Verbosity.NORMAL

    def initialize(self, tasks: dict[str, Any], selected_tasks: list[str]) -> None:
        """Count the steps that the run may reach, and begin it."""
        from pipeline.doit_plugin.report_writer import ReportWriter
        from pipeline.report.console.run_display import RunDisplay

        waiting, seen = list(selected_tasks), set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [*tasks[name].task_dep, *tasks[name].setup_tasks]
        raise_interrupts()
        controller = self._controller()
        project, tally = controller.project, controller.tally
        controller.subscribe(RunDisplay(sys.stdout, self.verbosity, project.verified))
        controller.subscribe(ReportWriter(project, tally, sys.stdout, self.verbosity))
        steps = sum(1 for name in seen if not tasks[name].has_subtask)
        controller.start(steps, skippable_guests(tasks, seen, selected_tasks))

    def get_status(self, task: Any) -> None:
        """A step is about to be checked."""

    def execute_task(self, task: Any) -> None:
        """A step starts; the controller reports it from the step's thread."""

    def add_success(self, task: Any) -> None:
        """A step succeeded; the controller has reported it."""

    def skip_uptodate(self, task: Any) -> None:
        """A step is up to date."""
        if not task.has_subtask:
            self._controller().current(task.name)

    def skip_ignore(self, task: Any) -> None:
        """A step is ignored; there are none, since nothing is kept that could say so."""

    def add_failure(self, task: Any, fail: Any) -> None:
        """A step failed, or was blocked by one that did."""
        if type(fail).__name__ == "UnmetDependency":
            self._controller().blocked(task.name, fail.message)
        else:
            self._controller().failed(task.name, fail.get_msg().rstrip())

    def cleanup_error(self, exception: Any) -> None:
        """A teardown failed."""
        sys.stderr.write(exception.get_msg())

    def runtime_error(self, msg: str) -> None:
        """Doit itself cannot go on."""
        self._controller().failed("doit", msg)

    def teardown_task(self, task: Any) -> None:
        """A teardown starts."""

    def complete_run(self) -> None:
        """End the run; raises SystemExit unless it succeeded."""
        code = self._controller().finish(sys.exc_info()[1])
        if code:
            raise SystemExit(code)
