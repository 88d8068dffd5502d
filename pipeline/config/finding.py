"""One thing that is wrong in a config, before it is known on which line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What is wrong with the key at ``path``: a path of keys and array positions."""

    path: tuple[str, ...]
    message: str
    expected: str = ""
    found: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Known:
    """Which keys hold what their author wrote; at ``broken`` paths neutral values stand in.

    >>> known = Known({("shape", "1")})
    >>> known("shape"), known("shape", "1"), known.whole("shape")
    (True, False, False)
    """

    broken: Collection[tuple[str, ...]] = frozenset()

    def __call__(self, *path: str) -> bool:
        """Return whether neither ``path`` nor a table around it is broken."""
        # Most configs are whole, and every run asks this of all of them.
        return not self.broken or not any(path[:end] in self.broken for end in range(len(path) + 1))

    def whole(self, *path: str) -> bool:
        """Return whether nothing in ``path`` is broken either."""
        return self(*path) and not any(other[: len(path)] == path for other in self.broken)
