"""`doit run`, which can also run one shard of the fixtures, or run steps on a cluster."""

from __future__ import annotations

import functools
import sys
from typing import Any

from doit.cmd_run import Run as DoitRun
from doit.cmd_run import opt_verbosity
from doit.control import TaskControl

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import connect_state, step_tasks
from pipeline.doit_plugin.loader import StepTasks
from pipeline.doit_plugin.reporter import Reporter
from pipeline.doit_plugin.step_faults import forked_error
from pipeline.errors import Code, PipelineError
from pipeline.graph.shard import Shard, chosen
from pipeline.report.console.protocol import Verbosity

# A thread of this process waits for each step that a cluster runs.
_MOST_AT_ONCE = 64
_VERBOSITIES = {0: Verbosity.QUIET, 2: Verbosity.VERBOSE}
_SHARD = {
    "section": "spreading",
    "name": "shard",
    "long": "shard",
    "type": str,
    "default": "",
    "help": "i/n: run the part i of n, counted from 1, of the fixtures of this run. Machines with "
    "the same configs split them in the same way; with a remote cache they share the steps that "
    "several fixtures need.",
}
_CLUSTER = {
    "section": "spreading",
    "name": "cluster",
    "long": "cluster",
    "type": str,
    "default": "",
    "help": "tcp://SCHEDULER:PORT: run conversions, tensors and verifications on the workers of a "
    "Dask cluster. They need the same versions of this pipeline and its packages, but no shared "
    "folder: inputs and outputs are transferred, unless the workers see the same files.",
}
_THREADS = {
    "section": "spreading",
    "name": "threads",
    "long": "threads",
    "type": bool,
    "default": False,
    "help": "no effect; to be removed in version 0.3. Use -n to limit the steps at a time.",
}
_QUIET = {
    "section": "run",
    "name": "quiet",
    "short": "q",
    "long": "quiet",
    "type": bool,
    "default": False,
    "help": "show failures only, like -v 0",
}
_VERBOSITY = {
    **opt_verbosity,
    "help": "0: show failures only; 1: also show what was built; 2: also show each step's output "
    "and which steps are up to date [default: 1]",
}


@with_command_errors
class Run(DoitRun):  # type: ignore[misc] # doit has no types
    """doit's own command with more options; doit finds it by its entry point."""

    name = "run"
    cmd_options = (
        *(_VERBOSITY if each is opt_verbosity else each for each in DoitRun.cmd_options),
        _QUIET,
        _SHARD,
        _CLUSTER,
        _THREADS,
    )

    def execute(self, params: Any, args: list[str]) -> int:
        """Run the tasks, and return the exit code: 1 after an error, which is printed to stderr."""
        try:
            self._shard = Shard.parse(params["shard"]) if params["shard"] else None
            self._cluster = params["cluster"]
            if params["threads"]:
                print("warning: --threads has no effect and will be removed.", file=sys.stderr)
            verbosity = 0 if params["quiet"] else params["verbosity"]
            self._verbosity = _VERBOSITIES.get(verbosity, Verbosity.NORMAL)
            # doit itself checks in this way whether an option was given.
            self._counted = "num_process" in params._non_default_keys
            return int(super().execute(params, args))
        except PipelineError as error:
            print(error.render(), file=sys.stderr)
            return 1

    # doit passes the options that the signature names, so it has to be that of its own method.
    @functools.wraps(DoitRun._execute)
    def _execute(self, **options: Any) -> int:
        connect_state(self)
        tasks = step_tasks(self)
        if tasks is not None and options["num_process"] and options["par_type"] == "process":
            raise forked_error()
        if isinstance(options["reporter"], Reporter):
            options["reporter"].verbosity = self._verbosity
        if self._shard is not None:
            self.sel_tasks = self._selected(self._shard)
            if not self.sel_tasks:
                print(f"nothing to do: shard {self._shard} has none of the fixtures")
                return 0
        if self._cluster:
            at_once = _connect_cluster(tasks, self._cluster)
            if not self._counted:
                options["num_process"] = max(options["num_process"], min(at_once, _MOST_AT_ONCE))
        return int(super()._execute(**options))

    def _selected(self, shard: Shard) -> list[str]:
        control = TaskControl(self.task_list)
        control.process(self.sel_tasks)
        named = [leaf for name in control.selected_tasks for leaf in _subtasks(control.tasks, name)]
        for task in control.tasks.values():
            # Once these are set, doit ignores the names that follow the task.
            task.options = None
        owners = {
            task.name: (task.meta or {}).get("fixture") or task.name
            for task in self.task_list
            if not task.has_subtask
        }
        default = self.loader.load_doit_config().get("default_tasks", owners)
        return chosen(shard, dict.fromkeys(named), owners, default)


def _connect_cluster(tasks: StepTasks | None, address: str) -> int:
    if tasks is None:
        raise PipelineError(Code.USAGE, "A cluster cannot run the tasks of this dodo.py.")
    try:
        return tasks.project.connect_cluster(address)
    except PipelineError:
        tasks.close()
        raise


def _subtasks(tasks: dict[str, Any], name: str) -> list[str]:
    task = tasks[name]
    return [each for each in task.task_dep if tasks[each].subtask_of == name] or [name]
