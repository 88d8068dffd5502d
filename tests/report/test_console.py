"""A run on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pipeline.execution.progress import Progress
from pipeline.report.console.live import LiveConsole
from pipeline.report.console.open_console import open_console
from pipeline.report.console.plain import PlainConsole
from pipeline.report.console.protocol import IncompleteSteps, Verbosity
from pipeline.report.console.summary import summary_lines, table
from pipeline.report.verified_cases import Row, VerifiedCase, _distance, verified_rows

ROWS = [
    Row(
        "squeezenet",
        "cat",
        "= native",
        "opencv within 3.8e-06 of 1.6e-05",
        "285 Egyptian cat (0.454)",
    ),
    Row("tiny", "x", "= native", "onnxruntime within 0.0e+00", "0 (1.000)"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_the_live_console_and_a_pipe_the_plain_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(open_console(Terminal()), LiveConsole)
    assert isinstance(open_console(io.StringIO()), PlainConsole)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_console(Terminal()), PlainConsole)


def test_plain_lines_count_and_can_be_grepped() -> None:
    stream = io.StringIO()
    console = PlainConsole(stream)
    console.started("ir:x", "", 3)
    console.progress("ir:x", "1.0 of 2.0 MB")
    console.finished("ir:x", "built", 1.25)
    console.current("tensor:x.a")
    console.failed("verify:x.a", "error[verify]: No.")
    assert stream.getvalue().splitlines() == [
        "[  1/  3] ir:x built in 1.2 s",
        "[  3/  3] verify:x.a FAILED",
        "error[verify]: No.",
    ]


def test_a_long_step_says_now_and_then_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pipeline.report.console.plain.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    console = PlainConsole(stream)
    console.started("source:x.a", "", 1)
    for _ in range(12):
        now[0] += 1
        console.progress("source:x.a", f"{now[0] - 100:.0f} MB")
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "source:x.a: 5 MB",
        "source:x.a: 10 MB",
    ]


@pytest.mark.parametrize("colour", ["NO_COLOR", "FORCE_COLOR"])
def test_the_live_console_ends_with_the_table(monkeypatch: pytest.MonkeyPatch, colour: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv(colour, "1")
    stream = Terminal()
    console = open_console(stream)
    console.started("ir:x", "onnx to OpenVINO IR", 2)
    console.progress("ir:x", "half [of] it")
    console.finished("ir:x", "built", 1.0)
    console.started("verify:x.a", "", 2)
    console.failed("verify:x.a", "error[verify]: [red] is no markup")
    console.summary(
        ROWS, IncompleteSteps(failed={"verify:x.a": "error[verify]: [red] is no markup"})
    )
    shown = stream.getvalue()
    assert "Egyptian cat" in shown
    assert "[red] is no markup" in shown
    assert "2 cases verified, 1 failed, 0 not run" in shown
    assert ("\x1b[31m" in shown) is (colour == "FORCE_COLOR")


def test_the_plain_table_is_aligned() -> None:
    lines = table(ROWS)
    assert lines[1].startswith("fixture     case  sandbox")
    assert len({line.index("= native") for line in lines if "= native" in line}) == 1
    assert table([]) == []


def test_the_closing_lines_name_what_failed_and_what_it_kept_from_running() -> None:
    failed = {"ir:x": "error[model]: No.\n  where: x"}
    lines = summary_lines([], IncompleteSteps(failed, {"verify:x.a": "ir:x"}))
    assert lines == [
        "FAILED ir:x: error[model]: No.",
        "not run verify:x.a: needs ir:x",
        "0 cases verified, 1 failed, 1 not run",
    ]
    assert summary_lines(ROWS[:1], IncompleteSteps()) == ["1 case verified"]


def test_a_row_is_read_from_the_evidence(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    prob = {"margin": 0.24, "distance": 3.8e-6, "bound": 1.6e-5, "ties": 0}
    outputs = {"prob": prob, "other": {"margin": 0.1, "distance": 1.0, "bound": 10.0, "ties": 0}}
    report = {
        "case": "cat",
        "native_equal": True,
        "golden": {"executor": "opencv", "outputs": outputs},
        "top": [{"index": 285, "label": "Egyptian cat, moggy", "value": 0.4538}],
    }
    path.write_text(json.dumps(report))
    gone = VerifiedCase("squeezenet", "espresso", path.with_name("gone.json"))
    assert verified_rows([gone, VerifiedCase("squeezenet", "cat", path)]) == ROWS[:1]


def test_whole_numbers_are_said_to_be_equal_or_to_tie() -> None:
    whole = {"margin": 0.0, "distance": 1.0, "bound": 0.0}
    assert _distance([{**whole, "ties": 0}]) == "equal"
    assert _distance([{**whole, "ties": 2}]) == "equal, 2 tied"


def test_quiet_prints_nothing_of_a_run_that_went_well() -> None:
    stream = io.StringIO()
    console = PlainConsole(stream, Verbosity.QUIET)
    console.started("ir:x", "", 2)
    console.progress("ir:x", "half")
    console.finished("ir:x", "built", 1.0)
    console.current("ir:y")
    console.skipped("guest:x", "error[toolchain]: No.")
    console.summary(ROWS, IncompleteSteps(skipped={"guest:x": "error[toolchain]: No."}))
    assert stream.getvalue() == ""


def test_verbose_prints_what_steps_say_and_which_are_current() -> None:
    stream = io.StringIO()
    console = PlainConsole(stream, Verbosity.VERBOSE)
    console.started("ir:x", "onnx to OpenVINO IR", 2)
    console.progress("ir:x", "finding a Python")
    console.progress("ir:x", "1 of 2 MB", Progress(1, 2))
    console.current("ir:y")
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "ir:x: started: onnx to OpenVINO IR",
        "ir:x: finding a Python",
        "[  1/  2] ir:y is up to date",
    ]


@pytest.mark.parametrize(
    ("set_", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_a_pipe_has_colours_only_where_they_are_forced(
    monkeypatch: pytest.MonkeyPatch, set_: dict[str, str], coloured: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    console = open_console(stream)
    console.failed("ir:x", "error[model]: No.")
    assert isinstance(console, PlainConsole)
    assert ("\x1b[31m" in stream.getvalue()) is coloured


def test_plain_lines_cannot_be_steered() -> None:
    stream = io.StringIO()
    console = PlainConsole(stream, Verbosity.VERBOSE)
    console.started("ir:x\n[  9/  9] ir:y built", "\x1b[2J", 1)
    console.finished("ir:x\r\n", "built\x1b", 1.0)
    assert stream.getvalue().splitlines() == [
        r"          ir:x [ 9/ 9] ir:y built: started: \x1b[2J",
        r"[  1/  1] ir:x\r built\x1b in 1.0 s",
    ]


def test_a_table_that_does_not_fit_is_a_list() -> None:
    assert table(ROWS, 200) == table(ROWS)
    assert table(ROWS, 40)[1:4] == [
        "squeezenet cat",
        "  output: 285 Egyptian cat (0.454)",
        "  sandbox: = native",
    ]
