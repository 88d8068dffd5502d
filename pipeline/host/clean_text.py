"""Format a framework's error message on one line."""

from __future__ import annotations

_LONGEST = 600


def clean_text(error: BaseException) -> str:
    r"""Return an error's message without the source locations before it.

    >>> clean_text(RuntimeError("Exception from src/core.cpp:12:\nno such\nlayer\n"))
    'no such layer'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("Exception from ")]
    return " ".join(kept or lines)[:_LONGEST] or type(error).__name__
