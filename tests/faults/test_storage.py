"""A database, a store, a folder and a disk that fail cost time at most, never a wrong result."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.twins import Twin, twins
from tests.programs import require_program
from tests.tiny import ROOT, Project, Run


@pytest.fixture
def ours(tmp_path: Path) -> Twin:
    """20 steps that are up to date, and an input that has to be looked at again."""
    twin = twins(tmp_path, "many")[1]
    run = twin.doit()
    assert run.returncode == 0, run.output
    os.utime(twin.source)
    return twin


def database(twin: Twin) -> Path:
    return twin.root / "artifacts/.cache/digests.sqlite"


def assert_nothing_to_do(run: Run) -> None:
    assert run.returncode == 0, run.output
    assert "nothing to do: 20 steps are up to date" in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    "wreck",
    [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000],
    ids=["garbage", "garbage with the right beginning"],
)
def test_a_garbage_database_is_moved_aside_and_said_so(ours: Twin, wreck: bytes) -> None:
    for side in database(ours).parent.glob("digests.sqlite-*"):
        side.unlink()
    database(ours).write_bytes(wreck)
    run = ours.doit()
    assert_nothing_to_do(run)
    assert "is corrupt; moved to" in run.output
    os.utime(ours.source)
    assert "corrupt" not in ours.doit().output


def test_a_truncated_database(ours: Twin) -> None:
    database(ours).write_bytes(database(ours).read_bytes()[:5000])
    assert_nothing_to_do(ours.doit())


@pytest.mark.parametrize("how", ["empty", "gone", "a folder"])
def test_a_database_that_is(ours: Twin, how: str) -> None:
    database(ours).unlink()
    if how == "empty":
        database(ours).touch()
    elif how == "a folder":
        database(ours).mkdir()
    assert_nothing_to_do(ours.doit())


def test_a_database_that_another_process_keeps_locked(ours: Twin) -> None:
    for number in range(20):
        os.utime(ours.made(f"s{number}"))
    holder = sqlite3.connect(database(ours), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    # Were each of the 21 files waited for, this would take minutes.
    assert_nothing_to_do(ours.doit())
    holder.close()


def test_a_flipped_object_is_built_again(ours: Twin) -> None:
    ours.ran()
    for path in (ours.root / "artifacts/.cache/cas").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    ours.made("s3").unlink()
    assert ours.doit().steps("built") == {"ir:s3"}
    assert ours.text("s3") == "SOME TEXT 0"


def test_a_cache_that_is_gone(ours: Twin) -> None:
    shutil.rmtree(ours.root / "artifacts/.cache")
    assert len(ours.doit().steps("built")) == 20


def in_a_mount(twin: Twin, mount: str, after: str = "true") -> Run:
    """Run doit where ``artifacts`` is mounted as told; no other process sees the mount."""
    script = f"{mount} && {shlex.quote(sys.executable)} -m doit; code=$?; {after}; exit $code"
    require_program("unshare")
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount is allowed here")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=twin.root,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return Run(done.returncode, done.stdout + done.stderr)


READ_ONLY = "mount --bind artifacts artifacts && mount -o remount,ro,bind artifacts"


def test_a_read_only_folder_where_all_is_up_to_date(ours: Twin) -> None:
    assert_nothing_to_do(in_a_mount(ours, READ_ONLY))


def test_a_read_only_folder_with_a_corrupt_database(ours: Twin) -> None:
    database(ours).write_bytes(b"garbage" * 1000)
    assert_nothing_to_do(in_a_mount(ours, READ_ONLY))


def test_a_read_only_folder_where_something_is_to_be_built(ours: Twin) -> None:
    ours.source.write_text("changed")
    run = in_a_mount(ours, READ_ONLY)
    assert run.returncode == 1
    assert "error[storage]" in run.output
    assert "read-only" in run.output
    assert "Traceback" not in run.output
    assert ours.text("s0") == "SOME TEXT 0"


def test_a_full_disk_leaves_nothing_half_written(ours: Twin) -> None:
    ours.source.write_text("x" * 1_500_000)
    left = "find artifacts -name '*.txt' -o -name '*.part' -o -path '*/cas/*/*' >left"
    left += "; find artifacts/.cache/tmp -mindepth 1 >>left"
    run = in_a_mount(ours, "mount -t tmpfs -o size=1m none artifacts", left)
    assert run.returncode == 1
    assert run.steps("FAILED") == {f"ir:s{number}" for number in range(20)}
    assert "Free some disk space" in run.output
    assert "Traceback" not in run.output
    assert (ours.root / "left").read_text() == ""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_steps_run_whatever_start_method_is_set(tmp_path: Path, method: str) -> None:
    ours = twins(tmp_path, "crashing")[1]
    dodo = ours.root / "dodo.py"
    start = f"import multiprocessing\nmultiprocessing.set_start_method({method!r}, force=True)\n"
    dodo.write_text(start + dodo.read_text())
    run = ours.doit("ir:a", "ir:b", "ir:c")
    assert run.steps("built") == {"ir:a", "ir:b", "ir:c"}, run.output
    assert run.returncode == 0


@pytest.mark.parametrize("name", ["Bäume & 数据 'x'", "100% $HOME {x} [y] *"])
def test_a_project_whose_path_is(built: Project, tmp_path: Path, name: str) -> None:
    project = Project(tmp_path / name)
    shutil.copytree(built.root, project.root)
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 31]")
    source = project.root / "guests/classify/classify.c"
    source.write_text(source.read_text() + "\n/* a remark */\n")
    run = project.doit()
    assert run.returncode == 0, run.output
    assert {"ir:tiny", "guest:classify", "verify:tiny.red"} <= run.steps("built")
    assert project.doit().output.startswith("nothing to do")
