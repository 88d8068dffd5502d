"""`doit why TASK`: why a step would run."""

from __future__ import annotations

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import Code, PipelineError
from pipeline.execution.planner import Intent

_INTENTS = {
    Intent.CURRENT: "is up to date",
    Intent.RESTORE: "would be restored from the cache",
    Intent.RUN: "would run",
    Intent.DEPENDS: "depends on a step that would run",
}


@with_command_errors
class Why(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    doc_purpose = "show which digest, parameter, tool or output makes a step run"
    doc_usage = "TASK ..."
    doc_description = (
        "Nothing is run. TASK is a step such as ir:squeezenet, a fixture, a kind of step, or a "
        "pattern such as 'verify:*'."
    )
    cmd_options = ()

    def _execute(self, pos_args: list[str]) -> int:
        return run_command(self, lambda project: _why(project, pos_args))


def _why(project: ProjectContext, names: list[str]) -> int:
    if not names:
        raise PipelineError(
            Code.USAGE, "Missing argument: TASK.", hint="For example: doit why ir:squeezenet"
        )
    plan = {planned.name: planned for planned in project.plan(project.graph.selected(names))}
    for name in project.graph.named(names):
        print(f"{name} {_INTENTS[plan[name].intent]}")
        for reason in plan[name].reasons:
            print(f"  {reason}")
    return 0
