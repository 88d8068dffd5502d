"""Memory sizes in configs and command lines."""

from __future__ import annotations

import re

_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(rf"([0-9]+) ?({'|'.join(_UNITS)})")


def byte_count(text: str) -> int:
    """Parse a size such as ``512 MiB`` or ``4GiB`` to bytes; raises ValueError.

    >>> byte_count("512 MiB"), byte_count("4GiB")
    (536870912, 4294967296)
    """
    size = _SIZE.fullmatch(text)
    if not size:
        raise ValueError(f"{text!r} is not a size such as '512 MiB'")
    return int(size[1]) * _UNITS[size[2]]
