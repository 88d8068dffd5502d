"""What is made of a guest's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.conformance.kit.cases import KitCase
from pipeline.conformance.kit.judge import (
    ABSENT,
    CONFORMS,
    DIFFERS,
    LEVELS,
    OTHER,
    UNSAFE,
    Ended,
    Result,
    judge,
)

_TRAP = "Error: failed to run main module `a.wasm`\n  1: wasm trap: unreachable\n"


def case(**changes: object) -> KitCase:
    plain = KitCase(Path("openvino"), "a", "spec", "", "", "", True, 0, "ok\n", (), ())
    return plain._replace(**changes)  # type: ignore[arg-type]


PLAIN = case()
MUTE = case(memory=False, stdout="")
LIMIT = case(stdout="may trap: compute\nok\n", need="seconds", level="extension")
SAYING = case(says=("f32|float", "i32"))
STREAMS = case(exit_code=7, stdout="to stdout\n")
EXTENSION = case(level="extension")


@pytest.mark.parametrize(
    ("ended", "verdict", "found"),
    [
        (None, UNSAFE, "hangs"),
        (Ended(-11, "", ""), UNSAFE, "signal 11"),
        (Ended(139, "", ""), UNSAFE, "139"),
        (Ended(0xC0000005, "", ""), UNSAFE, "0xc0000005"),
        (Ended(101, "", "thread 'main' panicked at a.rs:1:2:\nno memory\n"), UNSAFE, "a.rs:1:2"),
        (Ended(1, "", "Traceback (most recent call last)\n"), UNSAFE, "Traceback"),
        (Ended(1, "terminate called after x\n", ""), UNSAFE, "terminate called"),
        # A crash after the guest has said ok is one all the same.
        (Ended(-6, "ok\n", ""), UNSAFE, "signal 6"),
        (Ended(1, "differs: a\nunsafe: b\nend\n", ""), UNSAFE, "b"),
        (Ended(1, "differs: a\nend\n", ""), DIFFERS, "a"),
        # Under a shell a signal is an exit code, which Wasmtime also has for a trap.
        (Ended(134, "", ""), UNSAFE, "134"),
        (Ended(137, "", ""), UNSAFE, "137"),
        (Ended(134, "", _TRAP + "Stack backtrace:\n 9: main"), DIFFERS, "wasm trap: unreachable"),
        (Ended(134, "may trap: load\n", _TRAP), CONFORMS, ""),
        (Ended(134, "may trap: load\nreturned\n", _TRAP), DIFFERS, "wasm trap"),
        (Ended(134, "may trap: load\n", ""), UNSAFE, "134"),
        # Success for a bad pointer is reported by the guest, and comes before its end.
        (Ended(1, "may trap: load\nunsafe: load returned 0\n", ""), UNSAFE, "load returned 0"),
        (Ended(0, "", ""), DIFFERS, "exit code 0"),
        (Ended(0, "may trap: load\n", ""), DIFFERS, "exit code 0"),
        (Ended(3, "ok\n", ""), DIFFERS, "exit code 3, expected 0"),
        (Ended(0, "loading\nok\n", "a warning"), CONFORMS, ""),
        (Ended(0, "ok\n", "choice: load returned 5, advised 1\n"), OTHER, "advised 1"),
        (Ended(1, "Exception: out of bounds memory access\n", ""), DIFFERS, "Exception: out of"),
        (Ended(1, "", "unknown import: `wasi_ephemeral_nn::unload`"), DIFFERS, "unknown import"),
        (Ended(1, "not offered: load returned 6\nend\n", ""), ABSENT, "returned 6"),
    ],
)
def test_the_end_of_a_guest(ended: Ended | None, verdict: str, found: str) -> None:
    judged = judge(PLAIN, ended)
    assert judged[0] == verdict
    assert found in judged[1]


@pytest.mark.parametrize(
    ("asked", "ended", "verdict"),
    [
        (STREAMS, Ended(7, "to stdout\n", "to stderr\n"), CONFORMS),
        (STREAMS, Ended(0, "to stdout\n", "to stderr\n"), DIFFERS),
        (STREAMS, Ended(7, "", "to stderr\n"), DIFFERS),
        (STREAMS, Ended(7, "to stdout\n", ""), DIFFERS),
        (MUTE, Ended(0, "", ""), CONFORMS),
        (MUTE, Ended(1, "", "error: it exports no memory"), CONFORMS),
        (MUTE, Ended(64, "", "a warning"), UNSAFE),
        (MUTE, Ended(65, "", ""), OTHER),
        (MUTE, Ended(-11, "", ""), UNSAFE),
        (EXTENSION, Ended(1, "", "1: unknown import: `wasi_ephemeral_nn::unload`"), ABSENT),
        (EXTENSION, Ended(1, "Exception: failed to call unlinked import function\n", ""), ABSENT),
        (EXTENSION, Ended(1, "", "out of memory"), DIFFERS),
        (EXTENSION, Ended(-6, "", ""), UNSAFE),
        # The time limit: kept, reached by a host that lets the guest end, and not kept.
        (LIMIT, Ended(1, "may trap: compute\n", "it took too long"), CONFORMS),
        (LIMIT, Ended(134, "may trap: compute\n", _TRAP), CONFORMS),
        (LIMIT, Ended(0, "may trap: compute\n", ""), DIFFERS),
        (LIMIT, None, UNSAFE),
        (SAYING, Ended(0, "ok\n", "the input is FLOAT, the tensor i32\n"), CONFORMS),
        (SAYING, Ended(0, "the input is f32, the tensor i32\nok\n", ""), CONFORMS),
        (SAYING, Ended(0, "ok\n", "the input is f32\n"), OTHER),
        (SAYING, Ended(0, "ok\n", "choice: f32, i32\n"), OTHER),
    ],
)
def test_what_is_judged_from_outside(asked: KitCase, ended: Ended, verdict: str) -> None:
    assert judge(asked, ended)[0] == verdict


@pytest.mark.parametrize(
    ("level", "verdict", "failing"),
    [
        ("safety", DIFFERS, {"safety"}),
        ("choice", DIFFERS, {"choice"}),
        ("spec", OTHER, {"choice"}),
        ("choice", UNSAFE, set(LEVELS)),
        ("extension", ABSENT, set()),
        ("spec", CONFORMS, set()),
    ],
)
def test_the_levels_on_which_a_verdict_fails(level: str, verdict: str, failing: set[str]) -> None:
    result = Result(case(level=level), verdict)
    assert {each for each in LEVELS if result.fails([each])} == failing


def test_what_a_host_prints_cannot_rule_the_terminal() -> None:
    _, found, _ = judge(PLAIN, Ended(1, "", "\x1b[31mred\x1b[0m" * 99))
    assert "\x1b" not in found
    assert len(found) < 250


def test_no_address_of_the_host_is_repeated() -> None:
    _, found, _ = judge(PLAIN, Ended(1, "", "fault at 0x7f3a12345678\n"))
    assert found == "the host ends the guest: fault at 0x…"
