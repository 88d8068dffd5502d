"""`doit plan`: what a run would do, in order, with an estimate of the time."""

from __future__ import annotations

import sys

import msgspec
from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.options import JSON_OPTION
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.execution.planner import Intent, PlannedStep


@with_command_errors
class Plan(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    doc_purpose = "show what would run and what would be restored, without doing it"
    doc_usage = "[TASK ...]"
    doc_description = (
        "The time is that of the step's last run here. A step 'depends' if one that it needs would "
        "run: the result may turn out to be the same. As JSON: version, steps "
        "(name, intent, reasons, seconds), and a count for each intent."
    )
    cmd_options = (JSON_OPTION,)

    def _execute(self, as_json: bool, pos_args: list[str]) -> int:
        return run_command(self, lambda project: _plan(project, pos_args, as_json))


def _plan(project: ProjectContext, names: list[str], as_json: bool) -> int:
    plan = project.plan(project.graph.selected(names))
    (_as_json if as_json else _as_text)(plan)
    return 0


def _as_json(plan: list[PlannedStep]) -> None:
    steps = [
        {
            "name": each.name,
            "intent": each.intent.value,
            "reasons": list(each.reasons),
            "seconds": each.seconds,
        }
        for each in plan
    ]
    counts = {intent.value: _count(plan, intent) for intent in Intent}
    text = msgspec.json.format(msgspec.json.encode({"version": 1, "steps": steps, **counts}))
    sys.stdout.write(text.decode() + "\n")


def _as_text(plan: list[PlannedStep]) -> None:
    due = [each for each in plan if each.intent is not Intent.CURRENT]
    width = max((len(each.name) for each in due), default=0)
    for each in due:
        took = "" if each.seconds is None else f"{each.seconds:.1f} s"
        print(f"{each.intent.value:<8} {each.name:<{width}} {took:>8}  {_first(each.reasons)}")
    current = _count(plan, Intent.CURRENT)
    if not due:
        print(f"nothing to do: {current} steps are up to date")
        return
    working = [each for each in due if each.intent is not Intent.RESTORE]
    unknown = sum(1 for each in working if each.seconds is None)
    total = sum(each.seconds or 0.0 for each in working)
    print(
        f"{_count(plan, Intent.RUN)} to run, {_count(plan, Intent.DEPENDS)} that depend on them, "
        f"{_count(plan, Intent.RESTORE)} to restore, {current} up to date; "
        f"at most {total:.0f} s of work"
        + (f", and {unknown} of unknown duration" if unknown else "")
    )


def _first(reasons: tuple[str, ...]) -> str:
    more = f" (and {len(reasons) - 1} more: doit why)" if len(reasons) > 1 else ""
    return reasons[0] + more


def _count(plan: list[PlannedStep], intent: Intent) -> int:
    return sum(1 for each in plan if each.intent is intent)
