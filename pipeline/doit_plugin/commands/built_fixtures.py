"""The fixtures that a command uses: those that are built, without those whose build failed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.cache.history import FailureRecord, failed_last_time
from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.action import Action
from pipeline.execution.planner import Intent, PlannedStep

STRICT_OPTION = {
    "name": "strict",
    "short": "",
    "long": "strict",
    "type": bool,
    "default": False,
    "help": "fail if the last build of a fixture failed, instead of leaving it out",
}


def built(project: ProjectContext, names: Sequence[str], *, strict: bool = False) -> list[Action]:
    """Return the steps of the fixtures that are meant and built, in the order of the data.

    A fixture whose last build failed is left out with a warning on stderr. That is an error with
    ``strict``, if it is among ``names`` as it is called, and if no other is left. Raises
    PipelineError for that, and for a fixture that is merely not built as its config says.
    """
    graph = project.graph
    meant = graph.manifests(names)
    needed = {each.name: graph.with_needed([each.name]) for each in meant}
    planned = {each.name: each for each in project.plan(graph.with_needed(needed))}
    stale = {
        name: [each.name for each in steps if planned[each.name].intent is not Intent.CURRENT]
        for name, steps in needed.items()
    }
    failed = {
        each.name: found
        for each in meant
        if (found := first_failed(project, stale[each.name])) is not None
    }
    kept = [each.name for each in meant if each.name not in failed]
    for each in meant:
        if each.name in failed and (strict or each.fixture in names):
            raise _failed(each, *failed[each.name])
    missing = [name for name in kept if stale[name]]
    for name in planned:
        if any(name in stale[step] for step in missing):
            raise _not_built(planned[name], missing)
    for each in meant:
        if each.name in failed:
            if not kept:
                raise _failed(each, *failed[each.name])
            leave_out(each.fixture, *failed[each.name])
    return graph.with_needed(kept)


def first_failed(project: ProjectContext, steps: Iterable[str]) -> tuple[str, FailureRecord] | None:
    """Return the first of the steps that failed when it was last tried, and how."""
    for name in steps:
        if (failed := project.history.last_failure(name)) is not None:
            return name, failed
    return None


def leave_out(fixture: str, step: str, failed: FailureRecord) -> None:
    """Warn that a fixture is left out, and why."""
    line = f"warning: {fixture} is left out: {step} {failed_last_time(failed)}"
    print(printable(" ".join(line.split())), file=sys.stderr)


def manifests(actions: Iterable[Action]) -> list[Action]:
    """Return the steps that write the manifests, one for each fixture."""
    return [action for action in actions if action.kind == "manifest"]


def folders(actions: Iterable[Action]) -> list[Path]:
    """Return the folder of each fixture."""
    return [action.outputs["manifest"].parent for action in manifests(actions)]


def _failed(manifest: Action, step: str, failed: FailureRecord) -> PipelineError:
    return PipelineError(
        Code.LOCK,
        f"{manifest.fixture} is not built: {step} failed last time.",
        where=step,
        found=failed.message,
        hint=f"To try again: doit {manifest.name}",
    )


def _not_built(planned: PlannedStep, missing: Sequence[str]) -> PipelineError:
    return PipelineError(
        Code.LOCK,
        "What is built is not what the configs say.",
        where=planned.name,
        found="; ".join(planned.reasons),
        hint=f"Build it first: doit {' '.join(missing)}",
    )
