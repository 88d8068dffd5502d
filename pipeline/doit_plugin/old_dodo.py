"""What a dodo.py of version 0.1 imports; to be removed in version 0.3."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.doit_plugin.loader import StepTasks

_WARNING = """\
warning: dodo.py has the form of version 0.1, which version 0.3 will not load. Replace it by:
    from pipeline.doit_plugin import load

    DOIT_CONFIG, task_steps = load(__file__)"""


class Engine:
    """The steps of the project in ``root``."""

    def __init__(self, root: Path) -> None:
        # A shell that completes a command shows what is printed.
        if "_ARGCOMPLETE" not in os.environ:
            print(_WARNING, file=sys.stderr)
        self._tasks = StepTasks(root)

    def settings(self) -> dict[str, Any]:
        """Return DOIT_CONFIG."""
        return self._tasks.settings()

    def tasks(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the doit tasks of one kind."""
        yield from self._tasks.of_kind(kind)
