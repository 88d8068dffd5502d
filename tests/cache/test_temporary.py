"""What a killed run left goes; what a living one is making stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.cache.temporary import Temporary
from tests.tiny import ROOT

PROGRAM = """\
import sys, time
from pathlib import Path
from pipeline.cache.temporary import Temporary
with Temporary(Path(sys.argv[1])).folder() as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_a_folder_goes_with_its_run_and_not_before(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    folder = Path(run.stdout.readline().strip())
    Temporary(tmp_path).sweep()
    assert (folder / "half").exists()
    run.kill()
    run.communicate()
    Temporary(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_run_that_ends(tmp_path: Path) -> None:
    temporary = Temporary(tmp_path / "tmp")
    with temporary.atomic_write(tmp_path / "target") as part:
        part.write_text("x")
    with temporary.folder() as folder:
        (folder / "interrupted").touch()
        temporary.close()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["target", "tmp"]


def test_a_step_that_outlives_its_run_makes_nothing_more(tmp_path: Path) -> None:
    temporary = Temporary(tmp_path)
    temporary.close()
    with pytest.raises(FileNotFoundError, match="has ended"):
        temporary.folder().__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_amid_writing_keeps_the_old_content(tmp_path: Path) -> None:
    temporary = Temporary(tmp_path / "tmp")
    target = tmp_path / "target"
    target.write_text("old")

    def fail_midway() -> None:
        with temporary.atomic_write(target) as part:
            part.write_text("ne")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    temporary.close()
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["target", "tmp"]


def test_a_target_on_another_file_system(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.exists() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    temporary, other = Temporary(tmp_path), Temporary(tmp_path)
    with TemporaryDirectory(dir=memory) as name, other.folder() as alive:
        target = Path(name) / "target[1]"
        dead = target.with_name(f".{target.name}.{'0' * 32}.part")
        living = target.with_name(f".{target.name}.{alive.parent.name}.part")
        for part in (dead, living):
            part.touch()
        with temporary.atomic_write(target) as part:
            part.write_text("x")
        assert target.read_text() == "x"
        assert sorted(Path(name).iterdir()) == sorted([target, living])
    temporary.close()
