"""doit's state backend, which stores nothing: the cache's records decide what is up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from doit.exceptions import InvalidCommand


class MemoryState:
    """A doit backend that keeps nothing on disk, so that no file of it can be lost or corrupt.

    ``forget`` drops the record of a step; the commands set it.
    """

    desc = "the records in the project's cache; doit keeps nothing of its own"

    def __init__(self, name: str, codec: Any, module_name: str | None = None) -> None:
        self.name = name
        self._values: dict[str, dict[str, Any]] = {}
        self.forget: Callable[[str], None] | None = None

    def get(self, task_id: str, dependency: str) -> Any:
        """Return what this run has set."""
        return self._values.get(task_id, {}).get(dependency)

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        """Keep a value for this run."""
        if dependency == "ignore:":
            raise InvalidCommand("`doit ignore` is not supported; name the tasks to run instead.")
        self._values.setdefault(task_id, {})[dependency] = value

    def in_(self, task_id: str) -> bool:
        """Tell whether this run has set anything for a task."""
        return task_id in self._values

    def remove(self, task_id: str) -> None:
        """Drop what is known of a task, and the record of its present key."""
        self._values.pop(task_id, None)
        if self.forget is not None:
            self.forget(task_id)

    def remove_all(self) -> None:
        """Refuse: the records of all tasks are the cache folder, which can simply be deleted."""
        raise InvalidCommand("Name the tasks to forget, or delete the cache folder.")

    def dump(self) -> None:
        """Write nothing."""
