"""The summary of a run: verified cases, failures, and steps that did not run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import printable
from pipeline.report.console.protocol import IncompleteSteps
from pipeline.report.verified_cases import HEADINGS, Row


def table(rows: Sequence[Row], width: int | None = None) -> list[str]:
    """Return the rows as lines with aligned columns and a heading; empty for no rows.

    If they exceed ``width`` characters, return each row as a short list.
    """
    if not rows:
        return []
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        return listed(rows)
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return ["", lines[0], "  ".join("-" * width for width in widths), *lines[1:], ""]


def listed(rows: Sequence[Row]) -> list[str]:
    """Return the rows for a narrow terminal, one below the other.

    >>> listed([Row("tiny", "red", "= native", "opencv within 0.0e+00", "0 (1.000)")])[1:-1]
    ['tiny red', '  output: 0 (1.000)', '  sandbox: = native', '  opencv within 0.0e+00']
    """
    lines = [""]
    for row in rows:
        fixture, case, native, golden, came_out = row.cells()
        lines += [f"{fixture} {case}", f"  output: {came_out}", f"  sandbox: {native}"]
        lines += [f"  {golden}"] if golden else []
    return [*lines, ""]


def summary_lines(rows: Sequence[Row], incomplete: IncompleteSteps) -> list[str]:
    """Return the summary lines: failed, blocked and skipped steps, and counts.

    >>> summary_lines([], IncompleteSteps(skipped={"guest:x": "error[toolchain]: Rust not found."}))
    ['skipped guest:x: error[toolchain]: Rust not found.', '0 cases verified, 1 skipped']
    >>> summary_lines([], IncompleteSteps())
    ['done']
    """
    counted = [f"{len(rows)} case{'' if len(rows) == 1 else 's'} verified"]
    lines = [f"FAILED {name}: {_first(text)}" for name, text in incomplete.failed.items()]
    lines += [f"not run {name}: needs {needs}" for name, needs in incomplete.blocked.items()]
    lines += [f"skipped {name}: {_first(text)}" for name, text in incomplete.skipped.items()]
    if incomplete.failed:
        counted += [f"{len(incomplete.failed)} failed", f"{len(incomplete.blocked)} not run"]
    if incomplete.skipped:
        counted.append(f"{len(incomplete.skipped)} skipped")
    elif not rows and not incomplete.failed:
        # Nobody asked for a case.
        counted = ["done"]
    return [one_line(line) for line in (*lines, ", ".join(counted))]


def one_line(text: str) -> str:
    r"""Return a text on one line, with control characters escaped.

    >>> one_line("ir:x\r\x1b[2Jgone\nnext")
    'ir:x\\r\\x1b[2Jgone next'
    """
    return " ".join(printable(text).split())


def _first(text: str) -> str:
    return next(iter(text.splitlines()), "")
