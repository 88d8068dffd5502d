"""Environments that nobody needs are removed, and no others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.cache.digest import Digest
from pipeline.toolchain.environment import (
    TOOLCHAINS,
    Environment,
    ensure_environment,
    environment_folder,
    python_of,
)
from pipeline.toolchain.unused_environments import collect_environments, folder_size
from tests.tiny import Project


def lock(project: Path, text: str = "") -> Path:
    path = project / "configs/toolchains/mo.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def made(lock: Path, folder: Path) -> Path:
    """Make an environment of a lock file without packages."""
    place = environment_folder(TOOLCHAINS["mo"], lock, folder)
    scratch = folder.with_name("scratch")
    scratch.mkdir(exist_ok=True)
    environment = Environment(toolchain="mo", lock=lock, folder=place, offline=True)
    stamp = json.loads(ensure_environment(environment, scratch, lambda _: None))
    assert stamp["lock"] == Digest.of_file(lock).sha256
    return place


def collected(folder: Path, project: Path, *needed: str, dry: bool = False) -> list[str]:
    own = [project / "configs/toolchains"]
    return [each.name for each in collect_environments(folder, needed, own, dry=dry)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "toolchains"


def test_that_of_an_older_lock_file_goes(tmp_path: Path, folder: Path) -> None:
    old = made(lock(tmp_path), folder)
    new = made(lock(tmp_path, "# newer\n"), folder)
    assert collected(folder, tmp_path, new.name, dry=True) == [old.name]
    assert python_of(old).exists()
    assert collected(folder, tmp_path, new.name) == [old.name]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [new.name]
    assert collected(folder, tmp_path, new.name) == []


def test_that_of_another_project_stays_as_long_as_its_lock_file_does(
    tmp_path: Path, folder: Path
) -> None:
    theirs = lock(tmp_path / "theirs")
    one = made(theirs, folder)
    assert made(lock(tmp_path / "ours"), folder) == one
    assert collected(folder, tmp_path / "ours") == []
    assert collected(folder, tmp_path / "theirs") == []
    theirs.write_text("# newer\n")
    assert collected(folder, tmp_path / "ours") == [one.name]


def test_one_that_is_being_made_stays(tmp_path: Path, folder: Path) -> None:
    one = made(lock(tmp_path), folder)
    with FileLock(folder / f"{one.name}.lock"):
        assert collected(folder, tmp_path) == []
    assert python_of(one).exists()


def test_one_that_a_process_runs_in_stays(tmp_path: Path, folder: Path) -> None:
    one = made(lock(tmp_path), folder)
    command = [str(python_of(one)), "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert collected(folder, tmp_path) == []
        process.communicate(b"\n")
    assert collected(folder, tmp_path) == [one.name]


def test_nothing_else_in_the_folder_is_touched(tmp_path: Path, folder: Path) -> None:
    others = ["zig/cache", "mo/notes", "ours-0123456789ab/x", "mo-0123/x", "uv/x"]
    for name in others:
        (folder / name).mkdir(parents=True)
    (folder / "mo-0123456789ab").write_text("a file")
    assert collected(folder, tmp_path) == []
    assert collected(tmp_path / "none", tmp_path) == []


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(bytes(10))
    assert folder_size(tmp_path) == 1010


def test_the_command_removes_what_no_config_needs(project: Project, tmp_path: Path) -> None:
    toolchains = tmp_path / "toolchains"
    settings = project.root / "configs/project.toml"
    settings.write_text(f"toolchains = {str(toolchains)!r}\n")
    own = lock(project.root)
    one = made(own, toolchains)
    # A fixture that needs it, though a plain run does not build it.
    shutil.copy(project.config, project.config.with_name("other.toml"))
    config = project.config.with_name("other.toml")
    project.edit('framework = "onnx"', 'framework = "kaldi"', config)
    project.edit('executor = "onnxruntime"', 'executor = "numpy"', config)
    project.edit('description = "', 'default = false\ndescription = "', config)
    run = project.doit("status", "--json", "toolchain:mo")
    assert run.returncode == 0, run.output
    (step,) = json.loads(run.output)["steps"]
    assert step["bytes"] >= folder_size(one)
    assert "toolchain" not in project.doit("gc", "--toolchains").output
    config.unlink()
    run = project.doit("gc", "--toolchains", "--dry-run")
    assert f"would remove toolchain {one.name}, " in run.output
    assert python_of(one).exists()
    assert f"removed toolchain {one.name}, " in project.doit("gc", "--toolchains").output
    assert not one.exists()
