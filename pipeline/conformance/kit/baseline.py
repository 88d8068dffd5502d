"""A baseline: what a host answered once, so that only a change fails."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.conformance.kit.cases import ConformanceHost
from pipeline.conformance.kit.judge import CONFORMS, VERDICTS, Result


class Changes(NamedTuple):
    """Results that are worse or other than in a baseline, those that are better, and as lines."""

    failed: list[Result]
    better: list[Result]
    lines: list[str]


def record(host: ConformanceHost, results: Sequence[Result], suite: int) -> str:
    """Return a baseline as JSON: the verdict on each case, and what its guest reported.

    What the host prints is left out, since it changes with its version.
    """
    cases = {
        each.case.title: {
            "verdict": each.verdict,
            **({"answer": each.answer} if each.answer else {}),
        }
        for each in results
    }
    document = {"suite": suite, "host": host.name, "version": host.version, "cases": cases}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_baseline(path: Path, suite: int) -> Mapping[str, Any]:
    """Return the cases of a baseline; raises OSError, and ValueError for another suite's."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("cases"), dict):
        raise ValueError(f"{path} is no baseline")
    if document.get("suite") != suite:
        raise ValueError(
            f"{path} is of suite {document.get('suite')}, this is suite {suite}: record a new one"
        )
    cases: Mapping[str, Any] = document["cases"]
    return cases


def compare(
    results: Sequence[Result], baseline: Mapping[str, Any], levels: Sequence[str]
) -> Changes:
    """Compare results with a baseline; a case that it lacks fails as without one."""
    changes = Changes([], [], [])
    for each in results:
        known = baseline.get(each.case.title)
        if known is None:
            if each.fails(levels):
                changes.failed.append(each)
                changes.lines.append(f"new      {each.case.title}: {each.verdict}: {each.found}")
            continue
        before, answer = known.get("verdict"), known.get("answer", "")
        if (before, answer) == (each.verdict, each.answer):
            continue
        rank = VERDICTS.index(before) if before in VERDICTS else 0
        now = VERDICTS.index(each.verdict)
        text = f"{each.case.title}: {before} → {each.verdict}"
        if each.found or answer:
            text += f" ({answer or '–'} → {each.found or '–'})"
        if each.verdict == CONFORMS or now < rank:
            changes.better.append(each)
            changes.lines.append(f"better   {text}")
        else:
            changes.failed.append(each)
            changes.lines.append(f"{'worse' if now > rank else 'changed'}  {text}")
    return changes
