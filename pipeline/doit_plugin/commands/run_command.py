"""How a command of this package runs: on the project of the dodo.py, with errors as messages."""

from __future__ import annotations

import sys
from collections.abc import Callable

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.loader import StepTasks
from pipeline.doit_plugin.project import ProjectContext
from pipeline.doit_plugin.state import MemoryState
from pipeline.errors import Code, PipelineError


def step_tasks(command: DoitCmdBase) -> StepTasks | None:
    """Return the tasks of this package that dodo.py loaded, or None if it has only others."""
    found = command.loader.load_doit_config().get("step_tasks")
    return found if isinstance(found, StepTasks) else None


def connect_state(command: DoitCmdBase) -> None:
    """Let doit drop the records of steps that it forgets, or that failed."""
    tasks, state = step_tasks(command), command.dep_manager.backend
    if tasks is not None and isinstance(state, MemoryState):
        state.forget = tasks.forget


def run_command(command: DoitCmdBase, run: Callable[[ProjectContext], int]) -> int:
    """Run a command on the project and return its exit code, 1 for an error."""
    tasks = step_tasks(command)
    try:
        if tasks is None:
            raise PipelineError(
                Code.USAGE,
                f"`doit {command.name}` needs the steps of this pipeline.",
                found="a dodo.py without them",
                hint="In dodo.py: DOIT_CONFIG, task_steps = pipeline.doit_plugin.load(__file__)",
            )
        return run(tasks.project)
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return 1
    finally:
        if tasks is not None:
            tasks.close()
