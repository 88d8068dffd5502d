"""`doit status`: the state of each fixture and its steps."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import msgspec
from doit.cmd_base import DoitCmdBase

from pipeline.cache.history import failed_last_time
from pipeline.doit_plugin.cleaning import Removed, undeclared
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.options import JSON_OPTION
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.execution.action import Action
from pipeline.execution.planner import Intent, PlannedStep
from pipeline.toolchain.environment import Environment
from pipeline.toolchain.unused_environments import folder_size


class _StepStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str
    made: str | None
    seconds: float | None
    key: str | None
    bytes: int
    error: str | None


@with_command_errors
class Status(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    doc_purpose = "show every step: current, stale, missing or failed, and when it was made"
    doc_usage = "[TASK ...]"
    doc_description = (
        "Nothing is run; all fixtures are shown, not only those of a plain run. As JSON: version, "
        "and steps: name, state, made (ISO 8601), seconds and key of the last time that it was "
        "built, bytes of its targets (and of a toolchain's environment), and error if the last run "
        "failed; and left: name, files and bytes of each built fixture whose config was deleted."
    )
    cmd_options = (JSON_OPTION,)

    def _execute(self, as_json: bool, pos_args: list[str]) -> int:
        return run_command(self, lambda project: _status(project, pos_args, as_json))


def _status(project: ProjectContext, names: list[str], as_json: bool) -> int:
    actions = project.graph.selected(names or ["*"])
    steps = [
        _step(project, action, planned)
        for action, planned in zip(actions, project.plan(actions), strict=True)
    ]
    left = [] if names else undeclared(project.graph, project.history)
    if as_json:
        document = {"version": 1, "steps": steps, "left": [_left(each) for each in left]}
        text = msgspec.json.format(msgspec.json.encode(document))
        sys.stdout.write(text.decode() + "\n")
        return 0
    width = max(len(step.name) for step in steps)
    for step in steps:
        size = f"{step.bytes / 2**20:.2f} MiB" if step.bytes else ""
        line = f"{step.state:<8} {step.name:<{width}} {size:>12}  {step.made or '':<20}"
        failed = project.history.last_failure(step.name) if step.error else None
        print(f"{line} {failed_last_time(failed) if failed else ''}".rstrip())
    for each in left:
        size = f"{each.bytes / 2**20:.2f} MiB" if each.bytes else ""
        why = each.kept or "no config declares it; to remove it: doit clean --stale"
        print(f"{'left':<8} {each.name:<{width}} {size:>12}  {why}")
    return 0


def _left(removed: Removed) -> dict[str, object]:
    return {"name": removed.name, "files": removed.files, "bytes": removed.bytes}


def _step(project: ProjectContext, action: Action, planned: PlannedStep) -> _StepStatus:
    made = project.history.last_build(action.name)
    failed = project.history.last_failure(action.name)
    there = [path for path in action.outputs.values() if path.exists()]
    state = "stale" if len(there) == len(action.outputs) else "missing"
    if planned.intent is Intent.CURRENT:
        state, failed = "current", None
    elif failed is not None:
        state = "failed"
    return _StepStatus(
        name=action.name,
        state=state,
        made=None if made is None else _time(made.when),
        seconds=None if made is None else made.seconds,
        key=None if made is None else made.key,
        bytes=sum(
            file.stat().st_size
            for path in there
            for file in ([path] if path.is_file() else path.rglob("*"))
            if file.is_file()
        )
        + _environment_size(action),
        error=None if failed is None else f"{failed.code}: {failed.message}",
    )


def _environment_size(action: Action) -> int:
    """Return the bytes of a toolchain's environment; its target is only a stamp."""
    environment = action.unkeyed.get("environment")
    return folder_size(environment.folder) if isinstance(environment, Environment) else 0


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
