"""Rows of the summary table, one for each verified case, read from its evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import printable


@dataclass(frozen=True)
class Row:
    """A verified case, as text."""

    fixture: str
    case: str
    native: str
    golden: str
    came_out: str

    def cells(self) -> tuple[str, ...]:
        """Return the row's cells, in the order of HEADINGS."""
        return tuple(printable(cell) for cell in astuple(self))


HEADINGS = ("fixture", "case", "sandbox", "source framework", "output")


@dataclass(frozen=True)
class VerifiedCase:
    """A case or a dataset of a fixture, and the report of its verification."""

    fixture: str
    case: str
    report: Path


def _accuracy_row(verified: VerifiedCase, report: dict[str, Any]) -> Row:
    shares = report["accuracy"]["guest"]
    return Row(
        fixture=verified.fixture,
        case=verified.case,
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


def _sandbox(report: dict[str, Any]) -> str:
    if report.get("printed"):
        return "prints as expected"
    return "= native" if report["native_equal"] else "differs"


def _first(top: list[dict[str, Any]]) -> str:
    if not top:
        return "no elements"
    first = top[0]
    place = list(first["place"]) if first.get("place") else first["index"]
    label = f"{place} {first['label'].split(',')[0]}".rstrip()
    return f"{label} ({first['value']:.3f})"


def verified_rows(cases: Iterable[VerifiedCase]) -> list[Row]:
    """Return a row for each case whose report is there, by fixture and case."""
    rows = []
    for verified in cases:
        if not verified.report.exists():
            continue  # Its step has reported why.
        report = json.loads(verified.report.read_bytes())
        if "accuracy" in report:
            rows.append(_accuracy_row(verified, report))
            continue
        golden = report["golden"]
        rows.append(
            Row(
                fixture=verified.fixture,
                case=verified.case,
                native=_sandbox(report),
                golden=f"{golden['executor']} {_distance(golden['outputs'].values())}",
                came_out=_first(report["top"]),
            )
        )
    return sorted(rows, key=lambda row: (row.fixture, row.case))
