"""The suite and its results as Markdown: the matrix of hosts, and the list of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.conformance.case import Case, Level
from pipeline.conformance.kit.judge import ABSENT, CONFORMS, DIFFERS, OTHER, UNSAFE, VERDICTS
from pipeline.conformance.models.formats import SUITES
from pipeline.conformance.write_kit import VERSION

_MARKS = {CONFORMS: "●", OTHER: "○", ABSENT: "–", DIFFERS: "differs", UNSAFE: "**unsafe**"}
_LEVELS = {
    Level.SAFETY: "what no host may do, whatever the specification says",
    Level.SPEC: "rests on a line of the specification",
    Level.EXTENSION: "functions outside the specification; *not offered* is no fault",
    Level.CHOICE: "left open by the specification; a recommendation",
}
_CRASH, _HANG = "the host crashes", "the host hangs"


class Column(NamedTuple):
    """A host in the matrix, and its results by the title of the case."""

    title: str
    note: str
    own: bool
    cases: Mapping[str, Mapping[str, Any]]


def column_of(document: Mapping[str, Any], host: Mapping[str, Any], *, own: bool) -> Column:
    """Return the column of a host in a document of results (the command's JSON).

    Raises KeyError for another kind of document.
    """
    suite = document["suite"]
    note = f"{document['date']}" + ("" if suite == VERSION else f", from suite {suite}")
    title = f"{host['name']} {host['version']}".strip()
    return Column(title, note, own, {each["name"]: each for each in host["cases"]})


def as_matrix(cases: Sequence[Case], columns: Sequence[Column]) -> str:
    """Return the results of hosts by level and encoding, followed by what differs or is unsafe."""
    lines = [
        f"Suite {VERSION}. ● conforms; ○ conforms, with another answer than recommended; – an",
        "extension that is not offered; differs: another result, or a trap, without a safety risk;",
        "**unsafe**: the host crashed or hung, returned bytes that are not the guest's, or",
        "reported success for what cannot be right. An empty cell was not measured.",
        "",
        *_table(["host", "measured"], [[column.title, column.note] for column in columns]),
        "",
        "## By level",
        "",
        *_counts(cases, columns),
    ]
    for name, title in SUITES.items():
        chosen = [case for case in cases if case.encoding == name]
        measured = [
            column for column in columns if any(case.title in column.cases for case in chosen)
        ]
        if not chosen or not measured:
            continue
        rows = [
            [case.name, case.basis.level.value, *(_mark(column, case) for column in measured)]
            for case in chosen
        ]
        titles = [column.title for column in measured]
        lines += ["", f"## {title}", "", *_table(["case", "level", *titles], rows)]
    for column in columns:
        lines += _findings(cases, column)
    return "\n".join(lines) + "\n"


def as_list(cases: Sequence[Case]) -> str:
    """Return every case with its level, source and reason, by level."""
    lines = ["# Conformance cases", ""]
    lines += ["Made by `wasi-nn conformance --list --matrix`; see [conformance](conformance.md)."]
    lines += ["", f"Suite {VERSION} has {len(cases)} cases. Those of OpenVINO are listed; the"]
    lines += ["last column names the other encodings of models in which a case is asked too."]
    for level, meaning in _LEVELS.items():
        lines += ["", f"## {level.value}", "", f"{meaning[0].upper()}{meaning[1:]}."]
        bases = dict.fromkeys(case.basis for case in cases if case.basis.level is level)
        for basis in bases:
            lines += ["", f"- source: {_cell(basis.source)}", f"- reason: {_cell(basis.reason)}"]
            rows = []
            for name in dict.fromkeys(case.name for case in cases if case.basis == basis):
                same = [case for case in cases if case.name == name and case.basis == basis]
                others = [SUITES[each.encoding] for each in same[1:]]
                rows.append([f"`{name}`", _cell(same[0].rule), ", ".join(others)])
            lines += ["", *_table(["case", "conforms", "also in"], rows)]
    return "\n".join(lines) + "\n"


def _counts(cases: Sequence[Case], columns: Sequence[Column]) -> list[str]:
    rows = []
    for name in SUITES:
        for level in Level:
            chosen = [c for c in cases if c.encoding == name and c.basis.level is level]
            cells = [_counted(column, chosen) for column in columns]
            if chosen and any(cells):
                rows.append([SUITES[name], level.value, str(len(chosen)), *cells])
    return _table(["encoding", "level", "cases", *(column.title for column in columns)], rows)


def _counted(column: Column, cases: Sequence[Case]) -> str:
    counts = Counter(
        column.cases[case.title]["verdict"] for case in cases if case.title in column.cases
    )
    return ", ".join(
        f"{counts[verdict]} {_MARKS[verdict]}" for verdict in VERDICTS if counts[verdict]
    )


def _mark(column: Column, case: Case) -> str:
    result = column.cases.get(case.title)
    return _MARKS[result["verdict"]] if result else ""


def _findings(cases: Sequence[Case], column: Column) -> list[str]:
    rows = []
    for case in cases:
        result = column.cases.get(case.title)
        if result and result["verdict"] in (DIFFERS, UNSAFE):
            rows.append([case.title, _cell(case.rule), _found(column, result)])
    if not rows:
        return []
    table = _table(["case", "expected", "found"], rows)
    return ["", f"## What {column.title} does otherwise", "", *table]


def _found(column: Column, result: Mapping[str, Any]) -> str:
    """Return what was found; for an unsafe result of another host its kind alone."""
    found = str(result["found"])
    if result["verdict"] != UNSAFE or column.own:
        return _cell(found)
    for kind in (_CRASH, _HANG):
        if found.startswith(kind):
            return f"unsafe: {kind}"
    return "unsafe: success, or bytes that are not the guest's"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
