"""Print a check's result on a terminal: in columns, or as a list on a narrow one."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.cli.doctor.check import CheckResult, CheckStatus
from pipeline.report.console.summary import one_line

_SIGNS = {
    CheckStatus.OK: ("✓", "green"),
    CheckStatus.WARN: ("–", "yellow"),
    CheckStatus.FAIL: ("✗", "red"),
}
_NARROW = 70
_CHECK, _SUBJECT = 12, 22


def print_line(line: CheckResult) -> None:
    """Print it; the finding and the fix wrap in a column of their own."""
    console = Console(file=sys.stdout, highlight=False, markup=False)
    sign, colour = _SIGNS[line.status]
    problem = Text(one_line(line.found), style="" if line.status is CheckStatus.OK else colour)
    if line.fix:
        problem.append(f"\n→ {one_line(line.fix)}", style="default")
    if console.width < _NARROW:
        console.print(Text.assemble((sign, colour), f" {one_line(f'{line.check} {line.subject}')}"))
        shown = Table.grid(Column(width=2), Column(overflow="fold"))
        shown.add_row("", problem)
    else:
        shown = Table.grid(
            Column(width=1),
            Column(width=_CHECK),
            Column(width=_SUBJECT, overflow="fold"),
            Column(overflow="fold"),
            padding=(0, 1),
        )
        subject = Text(one_line(line.subject))
        shown.add_row(Text(sign, style=colour), Text(line.check, style="dim"), subject, problem)
    console.print(shown)
