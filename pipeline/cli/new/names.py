"""Names of cases and sources in a config, made from file names."""

from __future__ import annotations

import re
from collections.abc import Collection

_OTHER = re.compile(r"[^a-z0-9_-]+")
_LONGEST_NAME = 48


def unique(wanted: str, taken: Collection[str]) -> str:
    """Return a valid config name that is not in ``taken``.

    >>> unique("My Cat (1)", ["my-cat-1"])
    'my-cat-1-2'
    """
    name = _OTHER.sub("-", wanted.casefold()).strip("-_")[:_LONGEST_NAME] or "file"
    made, number = name, 2
    while made in taken:
        made, number = f"{name}-{number}", number + 1
    return made
