"""The doctor's results as plain lines, as JSON, and as a table on a terminal."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.cli.doctor.check import CheckResult, CheckStatus, exit_code
from pipeline.cli.doctor.examine import examine
from pipeline.report.console.summary import one_line
from pipeline.report.console.terminal import can_redraw

VERSION = 1


def report(root: Path, *, as_json: bool) -> int:
    """Run all checks, print the results, and return the exit code: 1 if something is wrong."""
    if as_json:
        lines = list(examine(root))
        print(as_object(lines))
        return exit_code(lines)
    lines = []
    for line in _shown(examine(root, in_order=False)):
        lines.append(line)
    print(summary_line(lines))
    return exit_code(lines)


def as_object(lines: Sequence[CheckResult]) -> str:
    """Return one JSON object: version, fine, and lines: check, subject, verdict, found and fix."""
    results = [
        {
            "check": line.check,
            "subject": line.subject,
            "verdict": line.status,
            "found": line.found,
            "fix": line.fix,
        }
        for line in lines
    ]
    found = {"version": VERSION, "fine": exit_code(lines) == 0, "lines": results}
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_text(line: CheckResult) -> str:
    """Return a line to grep.

    >>> as_text(CheckResult("folder", "cache", CheckStatus.FAIL, "full", "doit gc"))
    'wrong folder cache: full; fix: doit gc'
    """
    fix = f"; fix: {line.fix}" if line.fix else ""
    return one_line(f"{line.status:<5} {line.check} {line.subject}: {line.found}{fix}")


def summary_line(lines: Sequence[CheckResult]) -> str:
    """Return the summary line, which names what is wrong.

    >>> summary_line([CheckResult("folder", "cache", CheckStatus.FAIL, "full", "doit gc")])
    '1 wrong (folder cache), 0 notes, 0 fine'
    """
    wrong = [one_line(f"{x.check} {x.subject}") for x in lines if x.status is CheckStatus.FAIL]
    count = Counter(line.status for line in lines)
    notes, fine = count[CheckStatus.WARN], count[CheckStatus.OK]
    named = f" ({', '.join(wrong)})" if wrong else ""
    return f"{len(wrong)} wrong{named}, {notes} note{'' if notes == 1 else 's'}, {fine} fine"


def _shown(lines: Iterator[CheckResult]) -> Iterator[CheckResult]:
    """Print each line and yield it."""
    show = _print_text
    if can_redraw(sys.stdout):
        with suppress(ImportError):  # Rich itself may be missing.
            from pipeline.cli.doctor.terminal_table import print_line as show
    for line in lines:
        show(line)
        yield line


def _print_text(line: CheckResult) -> None:
    print(as_text(line), flush=True)
