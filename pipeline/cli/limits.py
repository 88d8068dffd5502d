"""The options --seconds and --memory of commands that look at a stranger's files."""

from __future__ import annotations

import argparse

from pipeline.errors import Code, PipelineError
from pipeline.execution.byte_count import byte_count

SECONDS, MEMORY = 900.0, "4 GiB"
_MOST_SECONDS = 7 * 86400.0


def add_limits(parser: argparse.ArgumentParser, what: str) -> None:
    """Add both options; ``what`` says what they hold for."""
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="N",
        help=f"time limit for {what} (default: {SECONDS:g})",
    )
    parser.add_argument(
        "--memory",
        default=MEMORY,
        metavar="SIZE",
        help=f"limit on resident memory for {what} (default: {MEMORY})",
    )


def limits(seconds: float, memory: str) -> tuple[float, int]:
    """Return the limits as seconds and bytes; raises PipelineError (USAGE)."""
    if not 0 < seconds <= _MOST_SECONDS:
        raise PipelineError(
            Code.USAGE,
            "Invalid time limit.",
            expected=f"--seconds of more than 0, up to {_MOST_SECONDS:g}",
            found=f"{seconds:g}",
        )
    try:
        return seconds, byte_count(memory)
    except ValueError as error:
        raise PipelineError(Code.USAGE, f"Invalid memory limit: {error}.") from None
