"""What killed runs left is removed by the next run of any command; what lives is not touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import BaseFileLock

from pipeline.errors import Code, PipelineError
from pipeline.scratch import RunFolder, part_beside, scratch_folder, sweep_scratch
from tests.fork_server import wasi_nn
from tests.tiny import ROOT

HOLD = """\
import sys, time
from pathlib import Path
from typing import Any
from pipeline.scratch import part_beside, scratch_folder
with scratch_folder() as folder, part_beside(Path(sys.argv[1])) as part:
    (folder / "half").write_text("half")
    part.mkdir() if len(sys.argv) > 2 else part.write_text("half")
    (part / "half").write_text("half") if len(sys.argv) > 2 else None
    print(folder, flush=True)
    time.sleep(6000)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def held(target: Path, *more: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that holds a folder and a part of ``target``, and return the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, target, *more], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("more", [(), ("folder",)], ids=["file", "folder"])
def test_what_a_killed_run_left_goes_and_not_before(
    tmp_path: Path, temporary: Path, more: tuple[str, ...]
) -> None:
    target = tmp_path / "out" / "net.bin"
    target.parent.mkdir()
    (target.parent / ".hidden.part").touch()
    process, folder = held(target, *more)
    sweep_scratch()
    assert (folder / "half").exists()
    assert len(list(target.parent.iterdir())) == 2
    process.kill()
    process.communicate()
    assert len(list(target.parent.iterdir())) == 2
    sweep_scratch()
    assert [path.name for path in target.parent.iterdir()] == [".hidden.part"]
    assert list(temporary.iterdir()) == []


def test_any_command_removes_it(tmp_path: Path, temporary: Path) -> None:
    process, _ = held(tmp_path / "net.bin")
    process.kill()
    process.communicate()
    (tmp_path / "x-1-f32.raw").write_bytes(bytes(4))
    done = wasi_nn("inspect", "x-1-f32.raw", cwd=tmp_path, env={"TMPDIR": str(temporary)})
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["temporary", "x-1-f32.raw"]
    assert list(temporary.glob("wasi-nn-*")) == []


def test_nothing_is_left_of_what_ends_or_fails(tmp_path: Path, temporary: Path) -> None:
    def fail() -> None:
        with scratch_folder() as folder, part_beside(tmp_path / "net.bin") as part:
            (folder / "half").touch()
            part.touch()
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    assert list(temporary.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_a_note_cannot_name_files_that_are_not_of_its_run(tmp_path: Path, temporary: Path) -> None:
    process, folder = held(tmp_path / "net.bin")
    process.kill()
    process.communicate()
    kept = tmp_path / "kept.part"
    kept.touch()
    with (folder.parent / "parts").open("ab") as stream:
        stream.write(os.fsencode(kept) + b"\0" + b"relative\0" + b"/\0")
    sweep_scratch()
    assert kept.exists()


def test_anothers_folder_is_not_used(tmp_path: Path, temporary: Path) -> None:
    planted = temporary / f"wasi-nn-{os.getuid()}"
    (tmp_path / "theirs").mkdir()
    planted.symlink_to(tmp_path / "theirs")
    with pytest.raises(PipelineError) as caught, scratch_folder():
        pass
    assert caught.value.code is Code.STORAGE
    assert "TMPDIR" in caught.value.hint
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_long_name_has_a_part_too(tmp_path: Path) -> None:
    with part_beside(tmp_path / ("名" * 84)) as part:
        part.touch()
        assert part.exists()


@pytest.mark.parametrize("swept", ["held", "gone"])
def test_a_run_whose_lock_another_sweeps_as_it_begins_takes_another(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, swept: str
) -> None:
    place = temporary / "runs"
    run, sweeper = RunFolder(place), RunFolder(place)
    first, lock_of = run.token, run._lock_of
    place.mkdir()
    other = sweeper._lock_of(first)

    def lock(token: str) -> BaseFileLock:
        # Between the file's creation and the lock, the other run sees it.
        found = lock_of(token)
        if token == first and swept == "held":
            other.acquire()
        elif token == first:
            acquire = found.acquire

            def acquired(**given: Any) -> object:
                proxy = acquire(**given)
                (place / f"{first}.lock").unlink()
                return proxy

            monkeypatch.setattr(found, "acquire", acquired)
        return found

    monkeypatch.setattr(run, "_lock_of", lock)
    run.open()
    other.release()
    assert run.token != first
    sweeper.sweep()
    assert run.path.is_dir()
    assert not sweeper.is_dead(run.token)
    run.close()
    assert list(place.iterdir()) == []


def test_a_run_begins_while_another_removes_their_place(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(temporary / "runs")
    run.place.mkdir()
    is_dir = Path.is_dir

    def removed(self: Path, **given: Any) -> bool:
        # Path.mkdir asks this after the system said that the folder exists.
        if self == run.place:
            monkeypatch.setattr(Path, "is_dir", is_dir)
            self.rmdir()
        return is_dir(self, **given)

    monkeypatch.setattr(Path, "is_dir", removed)
    run.open()
    assert run.path.is_dir()
    run.close()


def test_a_file_in_place_of_the_folder_is_named_as_such(temporary: Path) -> None:
    (temporary / "runs").touch()
    with pytest.raises(FileExistsError):
        RunFolder(temporary / "runs").open()


def test_many_runs_that_begin_at_once_all_get_a_folder(temporary: Path) -> None:
    place = temporary / "runs"

    def begin_and_end(_: int) -> bool:
        run = RunFolder(place)
        run.open()
        there = run.path.is_dir()
        run.close()
        return there

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(begin_and_end, range(400)))
