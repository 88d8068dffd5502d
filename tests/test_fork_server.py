"""A forked command is what a user would start: its folder, environment, output, and end."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.fork_server import run_module
from tests.tiny import Project

TASKS = """
import os, pathlib, sys, threading, time
def said():
    print(os.environ["WHO"], os.getcwd(), sys.argv[1:], repr(sys.stdin.read()))
    print("aside", file=sys.stderr)
    os.environ["WHO"] = "changed"
def late():
    threading.Thread(target=lambda: (time.sleep(0.3), print("a thread is waited for"))).start()
def task_said(): return {"actions": [said], "verbosity": 2}
def task_dies(): return {"actions": [lambda: os.kill(os.getpid(), 9)]}
def task_hangs(): return {"actions": [
    lambda: (pathlib.Path("pid").write_text(str(os.getpid())), time.sleep(600))
]}
def task_late(): return {"actions": [late], "verbosity": 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dodo.py").write_text(TASKS)
    return tmp_path


def test_each_run_has_its_own_environment_and_no_input(folder: Path) -> None:
    for who in ("one", "two"):
        done = run_module("doit", "run", "said", cwd=folder, env={"WHO": who})
        assert done.returncode == 0
        assert f"{who} {folder} ['run', 'said'] ''\n" in done.stdout
        assert done.stderr == "aside\n"


def test_the_end_of_a_run_is_that_of_its_process(folder: Path) -> None:
    assert run_module("doit", "dies", cwd=folder).returncode == -9
    assert run_module("doit", "nix", cwd=folder).returncode == 3
    assert "a thread is waited for\n" in run_module("doit", "late", cwd=folder).stdout


def test_a_run_that_takes_too_long_is_ended(folder: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_module("doit", "hangs", cwd=folder, seconds=1)
    process = Path("/proc") / (folder / "pid").read_text()
    while (process / "stat").exists():
        time.sleep(0.05)


@pytest.mark.parametrize(
    "arguments", [("list", "--all"), ("help",), ("nix",), ("ir:nix",), ("status",), ("--version",)]
)
def test_it_says_what_a_process_of_its_own_says(built: Project, arguments: tuple[str, ...]) -> None:
    assert built.doit(*arguments) == built.doit_process(*arguments)


def test_another_python_start_has_a_process_of_its_own(folder: Path) -> None:
    (folder / "dodo.py").write_text("import sys\nprint(sys.flags.dev_mode)\n" + TASKS)
    for mode in ("", "1"):
        done = run_module("doit", "list", cwd=folder, env={"PYTHONDEVMODE": mode})
        assert done.stdout.startswith(f"{bool(mode)}\n")
