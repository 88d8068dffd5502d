"""A check that doit finds the commands and the backend of this package, as dodo.py loads."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NoReturn

from doit.doit_cmd import DoitMain

_NAME = "wasi-nn-pipeline"
_COMMANDS = "doit.COMMAND"
_HINT = "  hint:     `wasi-nn doctor` has details."


def check_registered(root: Path) -> None:
    """End the process if doit does not find our backend, or the requested command.

    doit finds both among the entry points of installed packages; those of an editable install are
    as of its installation. ``root`` has the pyproject.toml with the present ones.
    """
    try:
        found = distribution(_NAME)
    except PackageNotFoundError:
        _end(f"error: {_NAME} is not installed in this Python.")
    names = {each.name for each in found.entry_points if each.group == _COMMANDS}
    command = sys.argv[1] if len(sys.argv) > 1 else "run"
    missing = {"run"} - names
    # doit treats an unknown command as the name of a task.
    known = names | {each.get_name() for each in DoitMain.DOIT_CMDS}
    if command.isidentifier() and command not in known and command in _declared(root, found):
        missing.add(command)
    if missing:
        _end(
            f"error: {_NAME} was installed before it had the command "
            f"`doit {' '.join(sorted(missing))}`."
        )


def _declared(root: Path, found: Distribution) -> dict[str, str]:
    import tomllib

    try:
        text = (root / "pyproject.toml").read_text("utf-8")
        project = tomllib.loads(text)["project"]
        if project["name"] != found.name:
            return {}
        commands: dict[str, str] = project["entry-points"][_COMMANDS]
        return commands
    except (OSError, ValueError, KeyError):
        return {}


def _end(message: str) -> NoReturn:
    from pipeline.cli.extras import install_command

    print(f"{message}\n  hint:     {install_command('build')}\n{_HINT}", file=sys.stderr)
    raise SystemExit(1)
