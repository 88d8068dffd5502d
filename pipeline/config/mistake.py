"""An error in a config, before its line is known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """An error at the key ``path``, a path of keys and array indices."""

    path: tuple[str, ...]
    message: str
    expected: str = ""
    found: str = ""
    hint: str = ""


@dataclass(frozen=True)
class KnownNames:
    """Which keys have the author's values; those at ``broken`` paths have placeholders.

    >>> known = KnownNames({("shape", "1")})
    >>> known("shape"), known("shape", "1"), known.whole("shape")
    (True, False, False)
    """

    broken: Collection[tuple[str, ...]] = frozenset()

    def __call__(self, *path: str) -> bool:
        """Return whether neither ``path`` nor a table around it is broken."""
        # A shortcut for valid configs, as every run calls this for every key.
        return not self.broken or not any(path[:end] in self.broken for end in range(len(path) + 1))

    def whole(self, *path: str) -> bool:
        """Return whether nothing at or below ``path`` is broken."""
        return self(*path) and not any(other[: len(path)] == path for other in self.broken)
