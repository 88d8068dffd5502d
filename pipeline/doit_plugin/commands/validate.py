"""`doit validate`: check the built fixtures, or whether they can be rebuilt."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.cli.limits import MEMORY, SECONDS, limits
from pipeline.cli.validate import report
from pipeline.doit_plugin.commands.built_fixtures import (
    STRICT_OPTION,
    first_failed,
    leave_out,
)
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.options import JSON_OPTION
from pipeline.doit_plugin.commands.rebuild import rebuild
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action
from pipeline.execution.bounded_call import BoundedCalls
from pipeline.execution.planner import Intent
from pipeline.publish.release.lock_file import read_lock
from pipeline.publish.validation.validate_bounded import validate_bounded
from pipeline.publish.validation.validate_fixture import validate

_UNCHECKED = 2

_REBUILD = {
    "name": "again",
    "short": "",
    "long": "rebuild",
    "type": bool,
    "default": False,
    "help": "rebuild everything in an empty folder, and compare the bytes with the lock",
}
_NO_RUN = {
    "name": "no_run",
    "short": "",
    "long": "no-run",
    "type": bool,
    "default": False,
    "help": "check only the files; run no inference",
}
_GITHUB = {
    "name": "github",
    "short": "",
    "long": "github",
    "type": bool,
    "default": False,
    "help": "also print annotations for GitHub Actions",
}
_JUNIT = {
    "name": "junit",
    "short": "",
    "long": "junit",
    "type": str,
    "default": "",
    "help": "also write JUnit XML into this file",
}

_SECONDS = {
    "name": "seconds",
    "short": "",
    "long": "seconds",
    "type": float,
    "default": SECONDS,
    "help": "time limit for each fixture",
}
_MEMORY = {
    "name": "memory",
    "short": "",
    "long": "memory",
    "type": str,
    "default": MEMORY,
    "help": "limit on resident memory for each fixture",
}


@with_command_errors
class ValidateCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "validate"
    doc_purpose = "check what is built against manifests and the lock, and run the inference again"
    doc_usage = "[FIXTURE ...]"
    doc_description = (
        "Without a name: the fixtures of a plain run. Exit code 0: valid; 1: invalid; 2: could "
        "not be checked. A fixture that has no manifest since its last build failed is left out, "
        "unless it is named or --strict is given. With --rebuild, artifacts/ is not checked: the "
        "configs are built in an empty folder, with the downloads and toolchains of this project, "
        "and the resulting bytes are compared with artifacts/lock.json."
    )
    cmd_options = (
        _REBUILD,
        _NO_RUN,
        STRICT_OPTION,
        JSON_OPTION,
        _GITHUB,
        _JUNIT,
        _SECONDS,
        _MEMORY,
    )

    def _execute(
        self,
        again: bool,
        no_run: bool,
        strict: bool,
        as_json: bool,
        github: bool,
        junit: str,
        seconds: float,
        memory: str,
        pos_args: list[str],
    ) -> int:
        def command(project: ProjectContext) -> int:
            if again:
                return rebuild(project, pos_args)
            chosen = _chosen(project, pos_args, strict)
            if not chosen:
                return _UNCHECKED
            report_path = Path(junit) if junit else None
            return _validate(chosen, not no_run, as_json, github, report_path, seconds, memory)

        return run_command(self, command)


def _chosen(project: ProjectContext, names: Sequence[str], strict: bool) -> list[Action]:
    """Return the steps of the manifests that are meant, without those whose last build failed.

    One that was built before and has a manifest can still be checked.
    """
    graph, chosen = project.graph, []
    for action in graph.manifests(names):
        fixture = action.fixture
        if not (strict or fixture in names or action.outputs["manifest"].exists()):
            planned = project.plan(graph.with_needed([action.name]))
            stale = [each.name for each in planned if each.intent is not Intent.CURRENT]
            if failed := first_failed(project, stale):
                leave_out(fixture, *failed)
                continue
        chosen.append(action)
    return chosen


def _validate(
    chosen: Sequence[Action],
    run: bool,
    as_json: bool,
    github: bool,
    junit: Path | None,
    seconds: float,
    memory: str,
) -> int:
    steps = {action.outputs["manifest"].parent: action.name for action in chosen}
    folders = [folder for folder in steps if folder.is_dir()]
    try:
        path = folders[0].parent / "lock.json" if folders else None
        # A project that has no lock yet is only consistent.
        lock = read_lock(path).fixtures if path and path.exists() else None
        with BoundedCalls(*limits(seconds, memory)) as calls:
            validations = [
                validate_bounded(calls, validate, folder, lock=lock, run=run) for folder in folders
            ]
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return _UNCHECKED
    code = report(validations, as_json=as_json, github=github, junit=junit)
    missing = [folder for folder in steps if folder not in folders]
    for folder in missing:
        fault = PipelineError(
            Code.VERIFY,
            "The fixture is not built.",
            where=str(folder),
            hint=f"Build it first: doit {steps[folder]}",
        )
        print(fault.render(), file=sys.stderr)
    return code or (_UNCHECKED if missing else 0)
