"""A run that is made up, for tests to look at on terminals."""

from __future__ import annotations

import sys
import time

from pipeline.execution.progress import Progress
from pipeline.report.console.open_console import open_console
from pipeline.report.console.protocol import IncompleteSteps, Verbosity
from pipeline.report.verified_cases import Row

STEPS = ("source:x.weights", "source:x." + "long-" * 12 + "name", "shard:x.many.0003", "ir:x")
HOSTILE = "[red]not \x1b[2J\x1b[31m red[/red]\r\x07"
ROW = Row("squeezenet", "cat", "= native", "opencv within 3.8e-06", "285 Egyptian cat (0.454)")


def main() -> None:
    """Show a download, one of unknown length, a count, and a step without numbers."""
    volume = Verbosity[sys.argv[1]] if len(sys.argv) > 1 else Verbosity.NORMAL
    console = open_console(sys.stdout, volume)
    for name in STEPS:
        console.started(name, HOSTILE, 9)
    for number in range(1, 16):
        amounts = (
            Progress(number * 1_000_000, 20_000_000, of="a"),
            Progress(number * 1_000_000, None, of="b"),
            Progress(number * 10, 1000, "pictures"),
        )
        for name, amount in zip(STEPS, amounts, strict=False):
            console.progress(name, "so much", amount)
        console.progress("ir:x", f"waiting {HOSTILE}")
        time.sleep(0.1)
    console.finished("source:x.weights", "built", 1.5)
    console.failed("ir:x", f"error[model]: {HOSTILE}\n  found:    {'0123456789abcdef' * 4}")
    console.current("tensor:x.a")
    console.summary([ROW], IncompleteSteps(failed={"ir:x": f"error[model]: {HOSTILE}"}))


if __name__ == "__main__":
    main()
