"""Compare the parts of two keys, with readable names for the differences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.cache.digest import canonical_json

_MISSING = object()
_NAMES = {"inputs": "input", "tools": "tool", "parameters": "parameter", "outputs": "output name"}
_SHORT = 12
_MOST_FILES = 5


@dataclass(frozen=True)
class Change:
    """One difference: the part's name, and its old and new value, '' for none."""

    what: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.what}: {self.old or 'none'} → {self.new or 'none'}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return the differences between the parts of two keys, with paths of nested tables.

    >>> [str(each) for each in changes(
    ...     {"recipe": "a.b", "parameters": {"tensor": {"mean": [1, 2]}}},
    ...     {"recipe": "a.b", "parameters": {"tensor": {"mean": [1, 3]}}})]
    ['parameter tensor.mean: [1, 2] → [1, 3]']
    """
    return list(_changes((), _plain(old), _plain(new)))


def code_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return which files of a recipe's code differ, each map being of digests by path.

    >>> code_changes({"a.py": "1", "b.py": "1"}, {"a.py": "2", "c.py": "1"})
    ['code: a.py changed', 'code: b.py is no longer imported', 'code: c.py is newly imported']
    """
    found = [f"code: {path} changed" for path in old if path in new and old[path] != new[path]]
    found += [f"code: {path} is no longer imported" for path in old if path not in new]
    found += [f"code: {path} is newly imported" for path in new if path not in old]
    if len(found) > _MOST_FILES:
        more = len(found) - _MOST_FILES + 1
        found[_MOST_FILES - 1 :] = [f"code: {more} more files changed"]
    return found


def _plain(parts: Mapping[str, Any]) -> object:
    # In the hashed form: tuples become lists in JSON.
    return json.loads(canonical_json(parts))


def _changes(path: tuple[str, ...], old: object, new: object) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*old, *(key for key in new if key not in old)):
            yield from _changes((*path, key), old.get(key, _MISSING), new.get(key, _MISSING))
        return
    yield Change(_named(path), _shown(path, old), _shown(path, new))


def _named(path: Sequence[str]) -> str:
    kind, *rest = path
    if kind == "recipe":
        return "the recipe"
    return " ".join([_NAMES.get(kind, kind), ".".join(rest)]).strip()


def _shown(path: Sequence[str], value: object) -> str:
    if value is _MISSING:
        return ""
    if path[0] in ("inputs", "code"):
        return f"sha256 {str(value)[:_SHORT]}…"
    return str(value)
