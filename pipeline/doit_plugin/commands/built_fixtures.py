"""Which fixtures a command takes: those that are built, without those whose last build failed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pipeline.cache.history import FailureRecord, failed_last_time
from pipeline.doit_plugin.engine import Engine
from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.action import Action
from pipeline.execution.planner import Intent, PlannedStep

STRICT_OPTION = {
    "name": "strict",
    "short": "",
    "long": "strict",
    "type": bool,
    "default": False,
    "help": "fail where the last build of a fixture failed, instead of leaving it out",
}


def built(engine: Engine, names: Sequence[str], *, strict: bool = False) -> list[Action]:
    """Return the steps of the fixtures that are meant and built, in the order of the data.

    One whose last build failed is left out with a line on stderr. That is an error with
    ``strict``, where it is among ``names`` as it is called, and where no other is left. Raises
    PipelineError for that, and for a fixture that is merely not built as its config says.
    """
    selected = fixtures_meant(engine, names)
    planned = {each.name: each for each in engine.plan(engine.selected(list(selected)))}
    stale = {name for name, each in planned.items() if each.intent is not Intent.CURRENT}
    needed = {step: {each.name for each in engine.selected([step])} & stale for step in selected}
    failed = {
        step: found
        for step, steps in needed.items()
        if (found := first_failed(engine, planned, steps)) is not None
    }
    for step, (origin, failure) in failed.items():
        if strict or selected[step] in names:
            raise _failed(step, origin, failure)
    missing = [step for step, steps in needed.items() if steps and step not in failed]
    for name, each in planned.items():
        if any(name in needed[step] for step in missing):
            raise _not_built(each, missing)
    kept = [step for step in selected if step not in failed]
    for step, (origin, failure) in failed.items():
        if not kept:
            raise _failed(step, origin, failure)
        leave_out(selected[step], origin, failure)
    return engine.selected(kept)


def fixtures_meant(engine: Engine, names: Sequence[str]) -> Mapping[str, str]:
    """Return the fixtures that are meant, by the steps that write their manifests.

    Raises PipelineError (USAGE) for a name that is none.
    """
    if names:
        steps = engine.named([f"manifest:{name}" for name in names])
    else:
        steps = [each.name for each in manifests(engine.selected([]))]
    return {step: step.partition(":")[2] for step in steps}


def first_failed(
    engine: Engine, planned: Mapping[str, PlannedStep], stale: Collection[str]
) -> tuple[str, FailureRecord] | None:
    """Return the first of the steps that failed when it was last tried, and how."""
    for name in planned:
        if name in stale and (failed := engine.history.last_failure(name)) is not None:
            return name, failed
    return None


def leave_out(fixture: str, step: str, failed: FailureRecord) -> None:
    """Say that a fixture is left out, and why."""
    line = f"warning: {fixture} is left out: {step} {failed_last_time(failed)}"
    print(printable(" ".join(line.split())), file=sys.stderr)


def manifests(actions: Sequence[Action]) -> list[Action]:
    """Return the steps that write the manifests, one for each fixture."""
    return [action for action in actions if action.name.startswith("manifest:")]


def folders(actions: Sequence[Action]) -> list[Path]:
    """Return the folder of each fixture."""
    return [action.outputs["manifest"].parent for action in manifests(actions)]


def _failed(manifest: str, step: str, failed: FailureRecord) -> PipelineError:
    return PipelineError(
        Code.LOCK,
        f"{manifest.partition(':')[2]} is not built: {step} failed last time.",
        where=step,
        found=failed.message,
        hint=f"To try again: doit {manifest}",
    )


def _not_built(planned: PlannedStep, missing: Sequence[str]) -> PipelineError:
    return PipelineError(
        Code.LOCK,
        "What is built is not what the configs say.",
        where=planned.name,
        found="; ".join(planned.reasons),
        hint=f"Build it first: doit {' '.join(missing)}",
    )
