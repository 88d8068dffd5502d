"""Results as text, JSON, JUnit XML and annotations of GitHub Actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from pipeline.conformance.kit.cases import ConformanceHost
from pipeline.conformance.kit.judge import ABSENT, DIFFERS, LEVELS, UNSAFE, VERDICTS, Result


def line_of(result: Result) -> str:
    """Return a result as a line of text."""
    case = result.case
    found = f"  {result.found}" if result.found else ""
    return f"{result.verdict:<14}  {case.level:<9}  {case.title:<34}{found}".rstrip()


def summary(host: ConformanceHost, results: Sequence[Result]) -> str:
    """Return the number of cases with each verdict, by level and in total."""
    lines = [f"{host.name} {host.version}".strip()]
    for level in (*LEVELS, "all"):
        counts = Counter(each.verdict for each in results if level in ("all", each.case.level))
        if counts:
            numbers = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
            lines.append(f"  {level:<9}  {sum(counts.values()):>3}: {numbers}")
    return "\n".join(lines)


def as_json(
    columns: Sequence[tuple[ConformanceHost, Sequence[Result]]], suite: int, date: str
) -> Mapping[str, Any]:
    """Return results as plain data; ``date`` is the day of the run."""
    hosts = [
        {
            "name": host.name,
            "version": host.version,
            "cases": [
                {
                    "name": each.case.title,
                    "level": each.case.level,
                    "verdict": each.verdict,
                    "found": each.found,
                    "answer": each.answer,
                    "seconds": round(each.seconds, 3),
                }
                for each in results
            ],
        }
        for host, results in columns
    ]
    return {"suite": suite, "date": date, "hosts": hosts}


def as_junit(
    columns: Sequence[tuple[ConformanceHost, Sequence[Result]]], failed: Sequence[Result]
) -> str:
    """Return JUnit XML: a suite for each host, in which ``failed`` are failures."""
    root = ElementTree.Element("testsuites", name="wasi-nn conformance")
    for host, results in columns:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"{host.name} {host.version}".strip(),
            tests=str(len(results)),
            failures=str(sum(each in failed for each in results)),
            skipped=str(sum(each.verdict == ABSENT for each in results)),
            time=f"{sum(each.seconds for each in results):.3f}",
        )
        for each in results:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=f"conformance.{each.case.level}",
                name=each.case.title,
                time=f"{each.seconds:.3f}",
            )
            if each in failed:
                failure = ElementTree.SubElement(
                    case, "failure", type=each.verdict, message=each.found
                )
                failure.text = f"{each.case.rule}\n{each.found}"
            elif each.verdict == ABSENT:
                ElementTree.SubElement(case, "skipped", message=ABSENT)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def as_github(results: Sequence[Result], failed: Sequence[Result]) -> str:
    """Return annotations for GitHub Actions: errors for failures, else warnings."""
    lines = []
    for each in results:
        if each in failed or each.verdict in (DIFFERS, UNSAFE):
            kind = "error" if each in failed else "warning"
            text = f"{each.verdict}: {each.found}\nexpected: {each.case.rule}"
            text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
            lines.append(f"::{kind} title=wasi-nn {each.case.title}::{text}")
    return "".join(line + "\n" for line in lines)
