"""Format the suite's results as text, JSON, JUnit XML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from pipeline.conformance.case import Verdict
from pipeline.conformance.runner.kit import VERSION
from pipeline.conformance.runner.suite import HostResults, Result

_MARKS = {Verdict.CONFORMS: "●", Verdict.DIFFERS: "differs", Verdict.UNSAFE: "**unsafe**"}


def line(result: Result) -> str:
    """Return a result as a line of the table."""
    found = f"  {result.found}" if result.found else ""
    return f"{result.verdict.value:<8}  {result.case.name:<30}{found}".rstrip()


def summary(results: HostResults) -> str:
    """Return the number of cases with each verdict."""
    counts = ", ".join(f"{results.count(verdict)} {_counted(verdict)}" for verdict in Verdict)
    return f"{_title(results)}: {counts}, of {len(results.results)}"


def as_json(columns: Sequence[HostResults], date: str) -> Mapping[str, Any]:
    """Return the results as plain data; ``date`` is the day of the run."""
    return {
        "suite": VERSION,
        "date": date,
        "hosts": [
            {
                "name": column.host.name,
                "version": column.host.version,
                "cases": [
                    {
                        "name": result.case.name,
                        "verdict": result.verdict.value,
                        "found": result.found,
                        "seconds": round(result.seconds, 3),
                    }
                    for result in column.results
                ],
            }
            for column in columns
        ],
    }


def as_junit(columns: Sequence[HostResults], allowed: Sequence[Verdict]) -> str:
    """Return JUnit XML: a suite for each host, a failure for each verdict that is not allowed."""
    root = ElementTree.Element("testsuites", name="wasi-nn conformance")
    for column in columns:
        failed = [result for result in column.results if result.verdict not in allowed]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_title(column),
            tests=str(len(column.results)),
            failures=str(len(failed)),
            time=f"{sum(result.seconds for result in column.results):.3f}",
        )
        for result in column.results:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname="conformance",
                name=result.case.name,
                time=f"{result.seconds:.3f}",
            )
            if result in failed:
                failure = ElementTree.SubElement(
                    case, "failure", type=result.verdict.value, message=result.found
                )
                failure.text = f"{result.case.rule}\n{result.found}"
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def as_matrix(columns: Sequence[HostResults], date: str) -> str:
    """Return a Markdown table of the hosts, followed by the findings."""
    titles = [_title(column) for column in columns]
    lines = [
        f"Suite {VERSION}, run on {date}: ● conforms; differs: another result than expected, or "
        "the",
        "guest trapped, without risk; **unsafe**: the host crashed or hung, returned bytes that "
        "are not",
        "the guest's, or reported success for an invalid call.",
        "",
        f"| case | {' | '.join(titles)} |",
        f"|---|{'---|' * len(titles)}",
    ]
    for row in zip(*(column.results for column in columns), strict=True):
        marks = " | ".join(_MARKS[result.verdict] for result in row)
        lines.append(f"| {row[0].case.name} | {marks} |")
    counts = " | ".join(
        f"{column.count(Verdict.CONFORMS)} ●, {column.count(Verdict.DIFFERS)} differ,"
        f" {column.count(Verdict.UNSAFE)} unsafe"
        for column in columns
    )
    lines += [f"| **{len(columns[0].results)} cases** | {counts} |"]
    for column, title in zip(columns, titles, strict=True):
        deviating = [result for result in column.results if result.verdict is not Verdict.CONFORMS]
        if not deviating:
            continue
        lines += ["", f"## {title}", "", "| case | expected | found |", "|---|---|---|"]
        lines += [
            f"| {result.case.name} | {_cell(result.case.rule)} | {_cell(result.found)} |"
            for result in deviating
        ]
    return "\n".join(lines) + "\n"


def _title(column: HostResults) -> str:
    return f"{column.host.name} {column.host.version}".strip()


def _counted(verdict: Verdict) -> str:
    return {Verdict.CONFORMS: "conform", Verdict.DIFFERS: "differ", Verdict.UNSAFE: "unsafe"}[
        verdict
    ]


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
