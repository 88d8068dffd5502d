"""One row for each verified case, read from its evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import printable


@dataclass(frozen=True)
class Row:
    """A verified case, in words."""

    fixture: str
    case: str
    native: str
    golden: str
    came_out: str

    def cells(self) -> tuple[str, ...]:
        """Return the row's cells, in the order of HEADINGS."""
        return tuple(printable(cell) for cell in astuple(self))


HEADINGS = ("fixture", "case", "sandbox", "source framework", "came out")


def _accuracy_row(path: Path, report: dict[str, Any]) -> Row:
    shares = report["accuracy"]["guest"]
    return Row(
        fixture=path.parents[2].name,
        case=path.parent.name,
        native="= native",
        golden="",
        came_out=f"top-1 {shares['top1']:.1%}, top-5 {shares['top5']:.1%} of {report['pictures']}",
    )


def _distance(outputs: Iterable[dict[str, Any]]) -> str:
    """Return how near the outputs come to their bound: the one that is nearest to it.

    >>> _distance([{"margin": 0.5, "distance": 1e-6, "bound": 2e-6, "ties": 0}])
    'within 1.0e-06 of 2.0e-06'
    """
    outputs = list(outputs)
    nearest = max(outputs, key=lambda each: float(each["margin"]))
    ties = sum(each["ties"] for each in outputs)
    tied = f", {ties} tied" if ties else ""
    if not nearest["bound"]:
        return "equal" + tied
    return f"within {nearest['distance']:.1e} of {nearest['bound']:.1e}" + tied


def verified_rows(reports: Iterable[Path]) -> list[Row]:
    """Return a row for each report.

    They are ``artifacts/<fixture>/evidence/<case>/report.json`` of a case, and
    ``artifacts/<fixture>/datasets/<dataset>/accuracy.json`` of a dataset.
    """
    rows = []
    for path in reports:
        if not path.exists():
            continue  # Its step, or a later one, has told why.
        report = json.loads(path.read_bytes())
        if "accuracy" in report:
            rows.append(_accuracy_row(path, report))
            continue
        golden = report["golden"]
        top = report["top"][0]
        label = f"{top['index']} {top['label']}".split(",")[0].rstrip()
        rows.append(
            Row(
                fixture=path.parents[2].name,
                case=report["case"],
                native="= native" if report["native_equal"] else "differs",
                golden=f"{golden['executor']} {_distance(golden['outputs'].values())}",
                came_out=f"{label} ({top['value']:.3f})",
            )
        )
    return sorted(rows, key=lambda row: (row.fixture, row.case))
