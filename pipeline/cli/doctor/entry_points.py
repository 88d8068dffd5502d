"""Whether our entry points (doit's commands and backend, and the programs) are installed."""

from __future__ import annotations

import shutil
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.cli.extras import DISTRIBUTION, install_command

GROUPS = ("doit.COMMAND", "doit.BACKEND", "console_scripts")


def registration(root: Path) -> list[CheckResult]:
    """Return a line for each group of entry points, and one for `doit` on the PATH.

    An editable install keeps the entry points of its install time, so they are compared with
    the pyproject.toml of ``root``, if that is ours.
    """
    try:
        found = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return [
            failed(
                "plug-in", DISTRIBUTION, "not installed in this Python", install_command("build")
            )
        ]
    if find_spec("doit") is None and not (root / "configs").is_dir():
        return [_group("console_scripts", found, root)]
    return [*(_group(group, found, root) for group in GROUPS), _program()]


def _group(group: str, found: Distribution, root: Path) -> CheckResult:
    points = {each.name: each for each in found.entry_points if each.group == group}
    declared = _declared(group, root)
    missing = sorted(declared.keys() - points.keys())
    if missing:
        problem = f"outdated install, without {', '.join(missing)}"
        return failed("plug-in", group, problem, install_command("build"))
    for name, point in points.items():
        if name in declared and point.value != declared[name]:
            problem = f"{name} is {point.value}, now {declared[name]}"
            return failed("plug-in", group, problem, install_command("build"))
        if group != "console_scripts":
            try:
                point.load()
            except Exception as error:
                problem = f"{name} does not load: {type(error).__name__}: {error}"
                return failed("plug-in", group, problem, install_command("build"))
    return passed("plug-in", group, ", ".join(sorted(points)))


def _declared(group: str, root: Path) -> dict[str, str]:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
        if project["name"] != DISTRIBUTION:
            return {}
        table: dict[str, str]
        table = project["scripts"] if group == "console_scripts" else project["entry-points"][group]
        return table
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _program() -> CheckResult:
    if find_spec("doit") is None:
        return failed("plug-in", "doit", "not installed in this Python", install_command("build"))
    named = shutil.which("doit")
    beside = Path(sys.executable).parent
    if named is None or Path(named).parent.resolve() != beside.resolve():
        problem = f"the PATH has {named or 'none'}, not the one of {beside}"
        fix = "Activate the environment, or run: python -m doit"
        return failed("plug-in", "doit", problem, fix, needed=False)
    return passed("plug-in", "doit", named)
