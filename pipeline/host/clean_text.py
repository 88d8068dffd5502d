"""Format a framework's error message on one line."""

from __future__ import annotations

_LONGEST = 600


def own_words(error: BaseException) -> str:
    r"""Return an error's message without the source locations before it.

    >>> own_words(RuntimeError("Exception from src/core.cpp:12:\nno such\nlayer\n"))
    'no such layer'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception from ")]
    return " ".join(told or lines)[:_LONGEST] or type(error).__name__
