"""Guests that a run may skip if their compiler is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any


def skippable_guests(
    tasks: Mapping[str, Any], reached: Iterable[str], named: Iterable[str]
) -> set[str]:
    """Return the guests among ``reached`` that are neither ``named`` nor needed by another step.

    ``tasks`` are doit's, by name. In CI (the environment variable CI is set) there are none: a
    missing compiler is an error there.
    """
    if os.environ.get("CI"):
        return set()
    needed = {
        needs for name in reached if not tasks[name].has_subtask for needs in tasks[name].task_dep
    }
    guests = {name for name in reached if (tasks[name].meta or {}).get("kind") == "guest"}
    return guests - needed - set(named)
