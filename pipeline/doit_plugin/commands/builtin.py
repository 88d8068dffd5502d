"""The commands that doit brings, with this project's errors; doit finds them by entry points."""

from __future__ import annotations

import functools
from typing import Any

from doit.cmd_dumpdb import DumpDB as DoitDumpDB
from doit.cmd_forget import Forget as DoitForget
from doit.cmd_help import Help as DoitHelp
from doit.cmd_ignore import Ignore as DoitIgnore
from doit.cmd_info import Info as DoitInfo
from doit.cmd_list import List as DoitList
from doit.cmd_resetdep import ResetDep as DoitResetDep
from doit.cmd_strace import Strace as DoitStrace
from doit.exceptions import InvalidCommand

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import connect_state, step_tasks


@with_command_errors
class Help(DoitHelp):  # type: ignore[misc] # doit has no types
    """As doit has it."""


@with_command_errors
class ResetDep(DoitResetDep):  # type: ignore[misc] # doit has no types
    """As doit has it."""


@with_command_errors
class Strace(DoitStrace):  # type: ignore[misc] # doit has no types
    """As doit has it."""


@with_command_errors
class List(DoitList):  # type: ignore[misc] # doit has no types
    """doit's own, which saves the steps, so that the next list need not read the configs."""

    @functools.wraps(DoitList._execute)
    def _execute(self, **options: Any) -> int:
        code = int(super()._execute(**options) or 0)
        if (tasks := step_tasks(self)) is not None:
            tasks.save_snapshot()
        return code


@with_command_errors
class Forget(DoitForget):  # type: ignore[misc] # doit has no types
    """doit's own, which drops the records of steps."""

    @functools.wraps(DoitForget._execute)
    def _execute(self, **options: Any) -> int:
        connect_state(self)
        return int(super()._execute(**options) or 0)


@with_command_errors
class Ignore(DoitIgnore):  # type: ignore[misc] # doit has no types
    """Not supported: doit's state is not stored."""

    doc_purpose = "not supported: name the tasks to run instead"


@with_command_errors
class Info(DoitInfo):  # type: ignore[misc] # doit has no types
    """doit's own, which accepts any word as a task."""

    @functools.wraps(DoitInfo._execute)
    def _execute(self, **options: Any) -> int:
        names = {task.name for task in self.task_list}
        for word in options["pos_args"]:
            if word not in names:
                raise InvalidCommand(not_found=word)
        return int(super()._execute(**options) or 0)


@with_command_errors
class DumpDB(DoitDumpDB):  # type: ignore[misc] # doit has no types
    """Not supported: doit has no database here."""

    doc_purpose = "not supported: `doit status` shows every step"

    def execute(self, params: Any, args: list[str]) -> int:
        """Raise InvalidCommand."""
        raise InvalidCommand("There is no database to dump: use `doit status`.")
