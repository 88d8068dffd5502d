"""The last lines of a run: what was verified, what failed, and what that kept from running."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import printable
from pipeline.report.console import Left
from pipeline.report.verified import HEADINGS, Row


def table(rows: Sequence[Row], width: int | None = None) -> list[str]:
    """Return the rows as lines with aligned columns, under a heading; none for no rows.

    Where those do not fit into ``width`` letters, each row is a short list.
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
    """Return the rows for a narrow terminal: one below the other.

    >>> listed([Row("tiny", "red", "= native", "opencv within 0.0e+00", "0 (1.000)")])[1:-1]
    ['tiny red', '  came out: 0 (1.000)', '  sandbox: = native', '  opencv within 0.0e+00']
    """
    lines = [""]
    for row in rows:
        fixture, case, native, golden, came_out = row.cells()
        lines += [f"{fixture} {case}", f"  came out: {came_out}", f"  sandbox: {native}"]
        lines += [f"  {golden}"] if golden else []
    return [*lines, ""]


def closing(rows: Sequence[Row], left: Left) -> list[str]:
    """Return the last lines of a run: what failed, what that kept from running, what was left out.

    >>> closing([], Left(skipped={"guest:x": "error[toolchain]: There is no Rust here."}))
    ['skipped guest:x: error[toolchain]: There is no Rust here.', '0 cases verified, 1 skipped']
    """
    counted = [f"{len(rows)} case{'' if len(rows) == 1 else 's'} verified"]
    lines = [f"FAILED {name}: {_first(text)}" for name, text in left.failed.items()]
    lines += [f"not run {name}, which needs {needs}" for name, needs in left.blocked.items()]
    lines += [f"skipped {name}: {_first(text)}" for name, text in left.skipped.items()]
    if left.failed:
        counted += [f"{len(left.failed)} failed", f"{len(left.blocked)} not run"]
    if left.skipped:
        counted.append(f"{len(left.skipped)} skipped")
    return [one_line(line) for line in (*lines, ", ".join(counted))]


def one_line(text: str) -> str:
    r"""Return a text as one line that cannot steer a terminal.

    >>> one_line("ir:x\r\x1b[2Jgone\nnext")
    'ir:x\\r\\x1b[2Jgone next'
    """
    return " ".join(printable(text).split())


def _first(text: str) -> str:
    return next(iter(text.splitlines()), "")
