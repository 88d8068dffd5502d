"""What a killed run left goes; what a living one is making stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.cache.owned_folder import MARKER, claim
from pipeline.cache.temporary import Temporary
from tests.tiny import ROOT

PROGRAM = """\
import sys, time
from pathlib import Path
from pipeline.cache.cache import Cache
with Cache(Path(sys.argv[1])).temporary.folder() as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    time.sleep(600)
"""


def temporary_of(folder: Path) -> Temporary:
    return Temporary(folder / "tmp", lambda: claim(folder, known=("cas", "tmp")))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")} - {MARKER}


def test_a_folder_goes_with_its_run_and_not_before(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    folder = Path(run.stdout.readline().strip())
    temporary_of(tmp_path).sweep()
    assert (folder / "half").exists()
    run.kill()
    run.communicate()
    temporary_of(tmp_path).sweep()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_is_left_of_a_run_that_ends(tmp_path: Path) -> None:
    temporary = temporary_of(tmp_path)
    with temporary.atomic_write(tmp_path / "cas") as part:
        part.write_text("x")
    with temporary.folder() as folder:
        (folder / "interrupted").touch()
        temporary.close()
    assert names(tmp_path) == {"cas", "tmp"}


def test_a_step_that_outlives_its_run_makes_nothing_more(tmp_path: Path) -> None:
    temporary = temporary_of(tmp_path)
    temporary.close()
    with pytest.raises(FileNotFoundError, match="has ended"):
        temporary.folder().__enter__()
    assert names(tmp_path) <= {"tmp"}


def test_a_failure_amid_writing_keeps_the_old_content(tmp_path: Path) -> None:
    temporary = temporary_of(tmp_path)
    target = tmp_path / "cas"
    target.write_text("old")

    def fail_midway() -> None:
        with temporary.atomic_write(target) as part:
            part.write_text("ne")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    temporary.close()
    assert target.read_text() == "old"
    assert names(tmp_path) == {"cas", "tmp"}


def test_a_target_on_another_file_system(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.exists() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    temporary, other = temporary_of(tmp_path), temporary_of(tmp_path)
    with TemporaryDirectory(dir=memory) as name, other.folder() as alive:
        target = Path(name) / "target[1]"
        dead = target.with_name(f".{target.name}.1-{'0' * 32}.part")
        living = target.with_name(f".{target.name}.{alive.parent.name}.part")
        for part in (dead, living):
            part.touch()
        with temporary.atomic_write(target) as part:
            part.write_text("x")
        assert target.read_text() == "x"
        assert sorted(Path(name).iterdir()) == sorted([target, living])
    temporary.close()


def test_what_is_no_run_of_ours_is_not_swept(tmp_path: Path) -> None:
    """A lock named `...lock` would be that of the folder above, which is the cache."""
    with temporary_of(tmp_path).folder():
        pass
    (tmp_path / "cas").mkdir()
    (tmp_path / "cas" / "object").touch()
    for name in ("...lock", "..lock", "mine", "mine.lock", f"1-{'0' * 31}.lock"):
        (tmp_path / "tmp" / name).touch()
    temporary_of(tmp_path).sweep()
    assert (tmp_path / "cas" / "object").exists()
    assert {"...lock", "..lock", "mine", "mine.lock"} <= names(tmp_path)
