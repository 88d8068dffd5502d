"""`doit why TASK`: what would make a step run, or that nothing would."""

from __future__ import annotations

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.engine import Engine
from pipeline.errors import Code, PipelineError
from pipeline.execution.planner import Intent

_INTENTS = {
    Intent.CURRENT: "is up to date",
    Intent.RESTORE: "would be restored from the store",
    Intent.RUN: "would run",
    Intent.DEPENDS: "depends on what comes before it",
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
        return run_command(lambda engine: _why(engine, pos_args))


def _why(engine: Engine, names: list[str]) -> int:
    if not names:
        raise PipelineError(Code.USAGE, "Which step?", hint="For example: doit why ir:squeezenet")
    plan = {planned.name: planned for planned in engine.plan(engine.selected(names))}
    for name in engine.named(names):
        print(f"{name} {_INTENTS[plan[name].intent]}")
        for reason in plan[name].reasons:
            print(f"  {reason}")
    return 0
