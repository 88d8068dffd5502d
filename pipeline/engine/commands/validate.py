"""`doit validate`: whether what lies in artifacts/ is what it says, or can be built again."""

from __future__ import annotations

import sys
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.cli.validate import report
from pipeline.engine.commands.lock import manifests
from pipeline.engine.commands.options import JSON_OPTION
from pipeline.engine.commands.rebuild import rebuild
from pipeline.engine.commands.told import told
from pipeline.engine.commands.understood import understood
from pipeline.engine.engine import Engine
from pipeline.errors import Code, PipelineError
from pipeline.publish.lock import read_lock
from pipeline.publish.validation.validate import validate

_UNCHECKED = 2

_REBUILD = {
    "name": "again",
    "short": "",
    "long": "rebuild",
    "type": bool,
    "default": False,
    "help": "build everything anew in an empty folder, and compare the bytes with the lock",
}
_NO_RUN = {
    "name": "no_run",
    "short": "",
    "long": "no-run",
    "type": bool,
    "default": False,
    "help": "look at the files alone; do not infer",
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


@understood
class ValidateCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "validate"
    doc_purpose = "check what is built against manifests and the lock, and infer again"
    doc_usage = "[FIXTURE ...]"
    doc_description = (
        "Without a name: the fixtures of a plain run. Exit code 0: valid; 1: invalid; 2: could "
        "not be checked. With --rebuild nothing of artifacts/ is looked at: the configs are built "
        "in an empty folder, with the downloads and toolchains that are here, and the bytes that "
        "come out are compared with artifacts/lock.json."
    )
    cmd_options = (_REBUILD, _NO_RUN, JSON_OPTION, _GITHUB, _JUNIT)

    def _execute(
        self,
        again: bool,
        no_run: bool,
        as_json: bool,
        github: bool,
        junit: str,
        pos_args: list[str],
    ) -> int:
        def command(engine: Engine) -> int:
            if again:
                return rebuild(engine, pos_args)
            return _validate(engine, pos_args, not no_run, as_json, github, junit)

        return told(command)


def _validate(
    engine: Engine, names: list[str], run: bool, as_json: bool, github: bool, junit: str
) -> int:
    meant = [f"manifest:{name}" for name in names]
    chosen = manifests(engine.selected(engine.named(meant) if names else []))
    steps = {action.outputs["manifest"].parent: action.name for action in chosen}
    folders = [folder for folder in steps if folder.is_dir()]
    try:
        lock = read_lock(folders[0].parent / "lock.json").fixtures if folders else {}
        validations = [validate(folder, lock=lock, run=run) for folder in folders]
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return _UNCHECKED
    place = Path(junit) if junit else None
    code = report(validations, as_json=as_json, github=github, junit=place)
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
