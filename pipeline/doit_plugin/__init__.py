"""The configs as doit tasks: the only package that imports doit.

A project's dodo.py is::

    from pipeline.doit_plugin import load

    DOIT_CONFIG, task_steps = load(__file__)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["load"]


def load(dodo_file: str) -> tuple[dict[str, Any], Callable[[], Iterator[dict[str, Any]]]]:
    """Return doit's settings and the creator of all tasks, for the project of a dodo.py.

    If the configs are invalid, it prints every error and ends the process with exit code 1.
    """
    # `doit doctor` must come this far where packages that the loader needs are missing.
    from pipeline.doit_plugin.loader import StepTasks

    tasks = StepTasks(Path(dodo_file).resolve().parent)
    return tasks.settings(), tasks.create


def __getattr__(name: str) -> object:
    if name == "Engine":
        from pipeline.doit_plugin.old_dodo import Engine

        return Engine
    raise AttributeError(name)
