"""A forked command is what a user would start: its folder, environment, output, and end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fork_server import run_module
from tests.tiny import Project

TASKS = """
import multiprocessing, os, pathlib, sys, threading, time
context = multiprocessing.get_context("spawn")
def said():
    print(os.environ["WHO"], os.getcwd(), sys.argv[1:], repr(sys.stdin.read()))
    print("aside", file=sys.stderr)
    os.environ["WHO"] = "changed"
def late():
    threading.Thread(target=lambda: (time.sleep(0.3), print("a thread is waited for"))).start()
def spawns():
    os.environ["WHO"] = "later"
    os.chdir("below")
    with context.Pool(1) as pool:
        print("child", pool.apply(os.getppid) == os.getpid(), pool.apply(os.getenv, ("WHO",)))
        print("folder", pool.apply(os.getcwd) == os.getcwd())
        print("imported", pool.apply(eval, ("'openvino' in __import__('sys').modules",)))
    ends = ((os._exit, (7,)), (os.abort, ()), (sys.exit, (3,)), (print, ("said",)))
    for target, arguments in ends:
        process = context.Process(target=target, args=arguments)
        process.start()
        process.join()
        print("ended", process.exitcode)
    os.chdir("..")
def task_spawns(): return {"actions": [spawns], "verbosity": 2}
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are spawned")
def test_what_a_run_spawns_is_forked_and_its_child_all_the_same(folder: Path) -> None:
    (folder / "below").mkdir()
    done = run_module("doit", "spawns", cwd=folder, env={"WHO": "first"})
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(".")] == [
        *("child True later", "folder True", "imported True"),
        *("ended 7", "ended -6", "ended 3", "said", "ended 0"),
    ]
    assert done.stderr == ""


def test_a_run_that_takes_too_long_is_ended(folder: Path) -> None:
    # On a busy machine it has not begun after a second.
    for seconds in (1, 10, 100):
        with pytest.raises(subprocess.TimeoutExpired):
            run_module("doit", "hangs", cwd=folder, seconds=seconds)
        if (folder / "pid").exists():
            break
    process = Path("/proc") / (folder / "pid").read_text()
    while (process / "stat").exists():
        time.sleep(0.05)


@pytest.mark.parametrize(
    "arguments", [("list", "--all"), ("help",), ("nix",), ("ir:nix",), ("status",), ("--version",)]
)
def test_it_says_what_a_process_of_its_own_says(
    project: Project, arguments: tuple[str, ...]
) -> None:
    assert project.doit(*arguments) == project.doit_process(*arguments)


def test_another_python_start_has_a_process_of_its_own(folder: Path) -> None:
    (folder / "dodo.py").write_text("import sys\nprint(sys.flags.dev_mode)\n" + TASKS)
    for mode in ("", "1"):
        done = run_module("doit", "list", cwd=folder, env={"PYTHONDEVMODE": mode})
        assert done.stdout.startswith(f"{bool(mode)}\n")
