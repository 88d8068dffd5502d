"""Guests that a run may leave out, where their compiler is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any


def skippable_guests(
    tasks: Mapping[str, Any], reached: Iterable[str], named: Iterable[str]
) -> set[str]:
    """Return the guests among ``reached`` that are neither ``named`` nor needed by another step.

    ``tasks`` are doit's, by name. In CI (where the environment variable CI is set) there are none:
    what is missing there is a fault.
    """
    if os.environ.get("CI"):
        return set()
    needed = {
        needs for name in reached if not tasks[name].has_subtask for needs in tasks[name].task_dep
    }
    guests = {name for name in reached if name.startswith("guest:")}
    return guests - needed - set(named)
