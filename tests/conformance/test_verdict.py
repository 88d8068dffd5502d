"""What is made of a guest's end."""

from __future__ import annotations

import pytest

from pipeline.conformance.case import Case, Verdict
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.runner.verdict import judge
from pipeline.verify.peer_process import PeerRun

NAMED = {case.name: case for case in CASES}
PLAIN = NAMED["load-infer"]
UNSAFE, DIFFERS, CONFORMS = Verdict.UNSAFE, Verdict.DIFFERS, Verdict.CONFORMS


@pytest.mark.parametrize(
    ("run", "verdict", "found"),
    [
        (None, UNSAFE, "hangs"),
        (PeerRun(-11, "", ""), UNSAFE, "signal 11"),
        (PeerRun(139, "", ""), UNSAFE, "139"),
        (PeerRun(101, "", "thread 'main' panicked at a.rs:1:2:\nno memory\n"), UNSAFE, "a.rs:1:2"),
        (PeerRun(1, "", "Traceback (most recent call last)\n"), UNSAFE, "Traceback"),
        # A crash after the guest has said ok is one all the same.
        (PeerRun(-6, "ok\n", ""), UNSAFE, "signal 6"),
        (PeerRun(0, "differs: a\nunsafe: b\nend\n", ""), UNSAFE, "b"),
        (PeerRun(0, "differs: a\nend\n", ""), DIFFERS, "a"),
        (PeerRun(134, "", "Error: x\n  1: unreachable\nStack backtrace:\n 9: main"), DIFFERS, "un"),
        (PeerRun(0, "", ""), DIFFERS, "stdout lacks"),
        (PeerRun(3, "ok\n", ""), DIFFERS, "exit code 3"),
        (PeerRun(0, "loading\nok\n", "a warning"), CONFORMS, ""),
    ],
)
def test_the_end_of_a_guest(run: PeerRun | None, verdict: Verdict, found: str) -> None:
    told = judge(PLAIN, run)
    assert told[0] is verdict
    assert found in told[1]


@pytest.mark.parametrize(
    ("name", "run", "verdict"),
    [
        ("streams", PeerRun(7, "to stdout\n", "to stderr\n"), CONFORMS),
        ("streams", PeerRun(0, "to stdout\n", "to stderr\n"), DIFFERS),
        ("streams", PeerRun(7, "", "to stderr\n"), DIFFERS),
        ("streams", PeerRun(7, "to stdout\n", ""), DIFFERS),
        ("exit-200", PeerRun(200, "", ""), CONFORMS),
        ("exit-200", PeerRun(1, "", "Error"), DIFFERS),
        ("memory-not-exported", PeerRun(0, "", ""), CONFORMS),
        ("memory-not-exported", PeerRun(1, "", "error: it exports no memory"), CONFORMS),
        ("memory-not-exported", PeerRun(1, "", ""), UNSAFE),
        ("memory-not-exported", PeerRun(-11, "", ""), UNSAFE),
    ],
)
def test_what_is_judged_from_outside(name: str, run: PeerRun, verdict: Verdict) -> None:
    assert judge(NAMED[name], run)[0] is verdict


def test_what_a_host_prints_cannot_rule_the_terminal() -> None:
    _, found = judge(Case(name="a", rule="", steps=[]), PeerRun(1, "", "\x1b[31mred\x1b[0m" * 99))
    assert "\x1b" not in found
    assert len(found) < 250
