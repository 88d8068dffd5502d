"""Commands of child Pythons, which import nothing from the working folder or by PYTHON* variables.

A command may run in a folder that a stranger wrote. No other module names ``sys.executable`` for
a child; ``tests/test_architecture.py`` checks that.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_START_MODULE = Path(__file__).with_name("start_module_program.py")


def program_command(program: Path, *arguments: str | Path, python: Path | None = None) -> list[str]:
    """Return the command of a program file: with our Python, or a toolchain's."""
    return [*_isolated(python), str(program), *map(str, arguments)]


def module_command(module: str, *arguments: str | Path) -> list[str]:
    """Return the command ``python -m MODULE`` for a module of ours, or of an installed package."""
    further = [str(_ROOT)]
    if site.ENABLE_USER_SITE:
        further.append(site.getusersitepackages())
    paths = os.pathsep.join(further)
    return [*_isolated(None), str(_START_MODULE), paths, module, *map(str, arguments)]


def text_command(program: str) -> list[str]:
    """Return the command that runs a program text with our Python."""
    return [*_isolated(None), "-c", program]


def seeded_command(program: Path, *arguments: str | Path, python: Path) -> list[str]:
    """Return the command of a program whose bytes depend on PYTHONHASHSEED.

    ``-I`` would ignore that variable. For its other effects, give an environment that has no
    PYTHON* variable of the user's; the program's own folder is imported from.
    """
    return [str(python), "-s", *_bytecode(python), str(program), *map(str, arguments)]


def _isolated(python: Path | None) -> Sequence[str]:
    if python is None:
        return (sys.executable, "-I")
    return (str(python), "-I", *_bytecode(python))


def _bytecode(python: Path) -> Sequence[str]:
    # A toolchain's environment is used as it was recorded: see environment_record.
    return () if python == Path(sys.executable) else ("-B",)
