"""Memory sizes in configs and command lines."""

from __future__ import annotations

_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def byte_count(text: str) -> int:
    """Parse a size such as ``512 MiB`` to bytes; raises ValueError.

    >>> byte_count("512 MiB")
    536870912
    """
    number, _, unit = text.partition(" ")
    if not number.isdecimal() or unit not in _UNITS:
        raise ValueError(f"{text!r} is not a size such as '512 MiB'")
    return int(number) * _UNITS[unit]
