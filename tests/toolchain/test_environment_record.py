"""An environment is used only as the user's own commands created it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.toolchain.environment import (
    TOOLCHAINS,
    Environment,
    ensure_environment,
    environment_folder,
    python_of,
)
from pipeline.toolchain.environment_record import USERS, is_recorded, owner, write_record
from pipeline.toolchain.toolchain_python import toolchain_python
from tests.tiny import ROOT

LOCK = "0" * 64


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASI_NN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small environment that was recorded."""
    folder = tmp_path / "toolchains/mo"
    (folder / "lib/package/__pycache__").mkdir(parents=True)
    (folder / "lib/package/code.py").write_text("value = 1\n")
    (folder / "lib/package/__pycache__/code.pyc").write_bytes(b"compiled")
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "lib64").symlink_to("lib")
    write_record(folder, LOCK, folder)
    assert is_recorded(folder, LOCK)
    return folder


def same_times(path: Path, text: str) -> None:
    """Change a file of the same size so that its mtime does not tell."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def link_elsewhere(folder: Path) -> None:
    (folder / "bin/python").unlink()
    (folder / "bin/python").symlink_to("/bin/sh")


def pipe(folder: Path) -> None:
    (folder / "lib/package/code.py").unlink()
    os.mkfifo(folder / "lib/package/code.py")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "lib/package/code.py").write_text("value = 23\n"),
        lambda folder: same_times(folder / "lib/package/code.py", "value = 2\n"),
        lambda folder: (folder / "lib/sitecustomize.py").write_text(""),
        lambda folder: (folder / "lib/package/__pycache__/other.pyc").write_bytes(b""),
        lambda folder: (folder / "lib/package/code.py").unlink(),
        link_elsewhere,
        pipe,
        shutil.rmtree,
    ],
    ids=[
        *("other text", "same size and time", "new module", "new bytecode"),
        *("no file", "other Python", "pipe", "no folder"),
    ],
)
def test_a_changed_environment_is_not_the_recorded_one(
    folder: Path, change: Callable[[Path], object]
) -> None:
    change(folder)
    assert not is_recorded(folder, LOCK)


def test_another_lock_another_place_and_another_user_have_no_record(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_recorded(folder, "1" * 64)
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    assert not is_recorded(tmp_path / "copy", LOCK)
    one = owner()
    monkeypatch.setenv("WASI_NN_CACHE", str(tmp_path / "theirs"))
    assert not is_recorded(folder, LOCK)
    assert owner() != one


def test_what_only_looks_changed_is_the_recorded_one(folder: Path) -> None:
    os.link(folder / "lib/package/code.py", folder.parent / "another name")
    (folder / "lib/package/code.py").touch()
    (folder / USERS).write_text("[]")
    assert is_recorded(folder, LOCK)


def environment_of(lock: Path, toolchains: Path) -> Environment:
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    folder = environment_folder(TOOLCHAINS["mo"], lock, toolchains)
    return Environment(toolchain="mo", lock=lock, folder=folder, offline=True)


def test_a_planted_environment_is_replaced(tmp_path: Path) -> None:
    environment = environment_of(tmp_path / "mo.lock", tmp_path / "toolchains")
    planted = python_of(environment.folder)
    planted.parent.mkdir(parents=True)
    planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    planted.chmod(0o755)
    (environment.folder / "environment.json").write_text("{}")
    ensure_environment(environment, tmp_path, lambda _: None)
    assert planted.resolve().name.startswith("python")
    assert is_recorded(environment.folder, Digest.of_file(environment.lock).sha256)
    assert not (tmp_path / "ran").exists()


def test_without_a_place_for_the_record_there_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WASI_NN_CACHE", str(tmp_path / "file"))
    environment = environment_of(tmp_path / "mo.lock", tmp_path / "toolchains")
    with pytest.raises(PipelineError) as caught:
        ensure_environment(environment, tmp_path, lambda _: None)
    assert caught.value.code is Code.STORAGE
    assert "WASI_NN_CACHE" in caught.value.hint
    assert not environment.folder.exists()


def test_a_command_takes_neither_the_lock_file_nor_the_environments_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "a stranger's"
    lock = here / "configs/toolchains/mo.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("evil==1.0 --hash=sha256:0\n")
    monkeypatch.chdir(here)
    monkeypatch.delenv("WASI_NN_TOOLCHAINS", raising=False)
    asked: list[Environment] = []
    monkeypatch.setattr(
        "pipeline.toolchain.environment.ensure_environment",
        lambda environment, *_: asked.append(environment),
    )
    python = toolchain_python("mo", tmp_path, lambda *_: None)
    assert python.is_relative_to(tmp_path / "cache/toolchains")
    assert asked[0].lock.is_relative_to(ROOT)
    assert asked[0].lock.read_text() != lock.read_text()
