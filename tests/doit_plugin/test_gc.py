"""`doit gc` makes room and costs no project its state."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.tiny import ROOT, Project


def age(project: Project) -> None:
    """Make everything in the cache look as if it had been used long ago."""
    for path in (project.root / "artifacts/.cache").rglob("*"):
        if path.is_file() and path.parent.parent.name in ("ac", "cas"):
            os.utime(path, (1, 1))


def kept(project: Project) -> set[Path]:
    return {path for path in (project.root / "artifacts/.cache/cas").rglob("*") if path.is_file()}


def test_what_the_present_configs_refer_to_stays(project: Project) -> None:
    project.doit()
    before = kept(project)
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 37]")
    assert project.doit().returncode == 0
    added = kept(project) - before
    assert added
    project.edit("mean = [10, 20, 37]", "mean = [10, 20, 30]")
    assert project.doit().steps("built") == set()
    age(project)
    run = project.doit("gc", "--limit", "1 KiB")
    assert run.returncode == 0, run.output
    assert run.output.startswith("removed ")
    assert kept(project) == before
    assert project.doit().output.startswith("nothing to do")
    (project.folder / "tiny.xml").unlink()
    assert "ir:tiny" in project.doit().steps("restored")


def test_a_dry_run_only_tells(project: Project) -> None:
    age(project)
    before = kept(project)
    assert project.doit("gc", "--limit", "1 KiB", "--dry-run").output.startswith("would remove ")
    assert kept(project) == before


def test_the_limit_of_the_config_holds(project: Project) -> None:
    settings = project.root / "configs/project.toml"
    settings.write_text(settings.read_text() + 'cache_limit = "1 GiB"\n')
    assert project.doit("gc").output.startswith("removed 0 files")


def test_a_limit_that_is_none(project: Project) -> None:
    for limit in ("2", "2 GB", "-1 MiB", "much"):
        run = project.doit("gc", f"--limit={limit}")
        assert run.returncode == 1
        assert "error[usage]: Invalid limit" in run.output


def test_it_runs_beside_builds(project: Project) -> None:
    def build(number: int) -> None:
        project.edit("[expect.blue]", f"# {number}\n[expect.blue]")
        assert project.doit("-a").returncode == 0

    with ThreadPoolExecutor(2) as threads:
        building = [threads.submit(build, 1)]
        while not all(future.done() for future in building):
            assert project.doit("gc", "--limit", "1 KiB").returncode == 0
        for future in building:
            future.result()
    assert project.doit().returncode == 0
    assert project.doit().output.startswith("nothing to do")


def start(project: Project) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "doit", "gc", "--limit", "1 KiB"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )


def test_what_the_configs_ask_for_stays_without_a_history(project: Project) -> None:
    before = kept(project)
    shutil.rmtree(project.root / "artifacts/.steps/history")
    shutil.rmtree(project.root / "artifacts/.cache/roots")
    age(project)
    assert project.doit("gc", "--limit", "1 KiB").returncode == 0
    assert kept(project) == before


def test_what_the_configs_ask_for_again_stays(project: Project) -> None:
    before = kept(project)
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 37]")
    assert project.doit().returncode == 0
    project.edit("mean = [10, 20, 37]", "mean = [10, 20, 30]")
    age(project)
    assert project.doit("gc", "--limit", "1 KiB").returncode == 0
    assert kept(project) >= before
    assert project.doit().steps("built") == set()


def test_a_killed_collection_costs_nothing(project: Project) -> None:
    before = kept(project)
    stray = project.root / "artifacts/.cache/cas/00"
    stray.mkdir(exist_ok=True)
    fell_midway = False
    for tenth in range(3, 12):
        strays = [stray / f"{number:064}" for number in range(2000)]
        for path in strays:
            path.write_bytes(b"x")
            os.utime(path, (1, 1))
        age(project)
        process = start(project)
        deadline = time.monotonic() + 60
        while process.poll() is None and strays[tenth * 100].exists():
            assert time.monotonic() < deadline
        process.kill()
        process.wait(30)
        left = sum(path.exists() for path in strays)
        fell_midway |= 0 < left < len(strays)
        assert before <= kept(project)
    assert fell_midway
    assert project.doit("gc", "--limit", "1 KiB").returncode == 0
    assert kept(project) == before
    assert list((project.root / "artifacts/.cache/tmp").iterdir()) == []


def test_several_at_once_remove_each_file_once(project: Project) -> None:
    before = kept(project)
    stray = project.root / "artifacts/.cache/cas/00"
    stray.mkdir(exist_ok=True)
    for number in range(300):
        (stray / f"{number:064}").write_bytes(b"x")
    age(project)
    with ThreadPoolExecutor(3) as threads:
        runs = list(threads.map(lambda _: project.doit("gc", "--limit", "1 KiB"), range(3)))
    assert [run.returncode for run in runs] == [0, 0, 0]
    removed = [int(run.output.split("removed ")[1].split()[0]) for run in runs]
    assert sum(removed) == 300
    assert kept(project) == before
