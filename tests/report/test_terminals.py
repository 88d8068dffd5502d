"""A run on real terminals: wide and narrow, without colour, and that can do little."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import pytest

from tests.report.run_program import STEPS
from tests.source.site import Handler, serving
from tests.terminal import Terminal
from tests.tiny import ROOT, Project

RUN = [sys.executable, "-m", "tests.report.run_program"]
COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-9]m|\x1b\[[0-9;]*38;")


def running(screen: list[str]) -> list[str]:
    """Return the live lines, which begin with a spinner."""
    return [line for line in screen if re.match(r"[\u2800-\u28ff] ", line)]


def half_done(screen: list[str]) -> bool:
    lines = running(screen)
    return len(lines) == len(STEPS) and bool(re.search(r"[3-7][05]%|1\d\.0/20\.0 MB", lines[0]))


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_each_running_step_has_one_line_at_any_width(columns: int) -> None:
    terminal = Terminal(RUN, columns=columns, cwd=ROOT)
    terminal.until(half_done)
    lines = running(terminal.screen)
    assert [line[2:].split()[0][:8] for line in lines] == [name[:8] for name in STEPS]
    terminal.end()
    # A line that had wrapped would have left a part of itself behind.
    assert running(terminal.screen) == []
    assert "1 case verified, 1 failed, 0 not run" in " ".join(terminal.screen[-2:])


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (40, r" \d[05]% +\d\d:\d\d$"),
        (60, r"━ 1\d\.0/20\.0 MB +\d\d:\d\d$"),
        (80, r"━ 1\d\.0/20\.0 MB +\d+\.\d MB/s +\d\d:\d\d$"),
        (120, r"━╺?━{9,} 1\d\.0/20\.0 MB +\d+\.\d MB/s +\d\d:\d\d$"),
    ],
)
def test_a_download_tells_how_much_how_fast_and_how_long(columns: int, shown: str) -> None:
    terminal = Terminal(RUN, columns=columns, cwd=ROOT)
    assert re.search(shown, running(terminal.until(half_done))[0])
    terminal.end()


def test_pictures_are_counted_and_what_has_no_numbers_says_what_it_does() -> None:
    terminal = Terminal(RUN, columns=120, cwd=ROOT)
    lines = running(terminal.until(half_done))
    assert re.search(r"1\d0/1,000 pictures +\d+\.\d/s", lines[2])
    assert lines[3].endswith(r"waiting [red]not \x1b[2J\x1b[31m red[/red]\r\x07")
    terminal.end()


@pytest.mark.parametrize("columns", [40, 120])
def test_what_others_say_never_steers_the_terminal(columns: int) -> None:
    terminal = Terminal(RUN, columns=columns, cwd=ROOT)
    terminal.end()
    assert b"\x1b[2J" not in terminal.written
    assert b"\x07" not in terminal.written
    assert r"[red]not \x1b[2J" in " ".join(terminal.screen)


def test_the_table_becomes_a_list_where_it_does_not_fit() -> None:
    wide, narrow = (Terminal(RUN, columns=columns, cwd=ROOT) for columns in (120, 40))
    wide.end()
    narrow.end()
    assert any(re.match(r"│ squeezenet +│ cat +│ = native", line) for line in wide.screen)
    assert "squeezenet cat" in narrow.screen
    assert "  output: 285 Egyptian cat (0.454)" in narrow.screen


def test_a_digest_is_not_cut_by_us() -> None:
    terminal = Terminal(RUN, columns=40, cwd=ROOT)
    terminal.end()
    assert b"0123456789abcdef" * 4 in terminal.written


def test_no_color_takes_the_colours_and_leaves_the_rest() -> None:
    terminal = Terminal(RUN, columns=80, cwd=ROOT, env={"NO_COLOR": "1", "FORCE_COLOR": "1"})
    terminal.until(half_done)
    terminal.end()
    assert not COLOUR.search(terminal.written)
    coloured = Terminal(RUN, columns=80, cwd=ROOT)
    coloured.end()
    assert COLOUR.search(coloured.written)


def test_a_dumb_terminal_gets_lines_alone() -> None:
    terminal = Terminal(RUN, columns=40, cwd=ROOT, env={"TERM": "dumb"})
    terminal.end()
    assert b"\x1b" not in terminal.written
    assert "[  1/  9] source:x.weights built in 1.5" in terminal.screen
    assert "squeezenet cat" in terminal.screen


def test_a_terminal_without_unicode_gets_lines_alone() -> None:
    terminal = Terminal(RUN, columns=80, cwd=ROOT, env={"PYTHONIOENCODING": "ascii"})
    terminal.end()
    assert "[  1/  9] source:x.weights built in 1.5 s" in terminal.screen


def test_quiet_tells_of_failures_alone() -> None:
    terminal = Terminal([*RUN, "QUIET"], columns=100, cwd=ROOT)
    terminal.end()
    assert terminal.screen[0] == "[  2/  9] ir:x FAILED"
    assert "Egyptian" not in " ".join(terminal.screen)
    assert terminal.screen[-1] == "1 case verified, 1 failed, 0 not run"


def test_verbose_tells_what_steps_say_and_what_is_current() -> None:
    terminal = Terminal([*RUN, "VERBOSE"], columns=100, cwd=ROOT)
    terminal.end()
    assert "  tensor:x.a is up to date" in terminal.screen
    assert "  ir:x: waiting [red]not" in " ".join(terminal.screen)


@pytest.mark.parametrize("columns", [40, 100])
def test_a_real_download_is_seen_on_its_way(project: Project, columns: int) -> None:
    body = (project.root / "tiny.onnx").read_bytes()
    body += bytes(3_000_000)

    def slowly(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), 300_000):
            handler.wfile.write(body[start : start + 300_000])
            handler.server.site.closing.wait(0.2)

    with serving() as site:
        url = site.put("/model.onnx", slowly)
        digest = hashlib.sha256(body).hexdigest()
        project.edit('urls = ["file:tiny.onnx"]', f'urls = ["{url}"]\nsha256 = "{digest}"')
        terminal = Terminal(
            [sys.executable, "-m", "doit", "source:tiny.model"],
            columns=columns,
            cwd=project.root,
            env={"PYTHONPATH": str(ROOT)},
        )
        moving = r"source:tiny\.model .* [1-9]\d% \d\d:\d\d"
        if columns == 100:
            moving = r"source:tiny\.model .* [12]\.\d/3\.0 MB \d\.\d MB/s \d\d:\d\d"
        terminal.until(lambda screen: any(re.search(moving, line) for line in screen))
        assert terminal.end() == 0
    assert any(line.startswith("✓ source:tiny.model built in ") for line in terminal.screen)
    log = max((project.root / "artifacts/.steps/events").glob("*.ndjson"))
    assert '"amount":{"done":' in log.read_text()


def test_a_log_can_be_grepped() -> None:
    env = {"PATH": "/usr/bin:/bin", "FORCE_COLOR": ""}
    done = subprocess.run(RUN, cwd=ROOT, capture_output=True, text=True, check=True, env=env)
    assert "[  1/  9] source:x.weights built in 1.5 s" in done.stdout.splitlines()
    assert "\x1b" not in done.stdout
