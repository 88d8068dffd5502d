"""Locked environments: made from hashes, or a clear message."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.process import run_process
from pipeline.toolchain import environment
from pipeline.toolchain.environment import (
    TOOLCHAINS,
    Environment,
    environment_folder,
    make_environment,
    python_of,
    require,
)
from pipeline.toolchain.environment_record import write_record
from tests.telemetry.isolated import run_isolated
from tests.tiny import BUILTIN

LOCK = BUILTIN / "configs/toolchains/mo.lock"


def job(folder: Path, lock: Path, *, offline: bool = False) -> Job:
    (folder / "scratch").mkdir()
    return Job(
        inputs={"lock": lock},
        outputs={"stamp": folder / "environment.json"},
        parameters={"toolchain": "mo"},
        unkeyed={
            "environment": Environment(
                toolchain="mo", lock=lock, folder=folder / "env", offline=offline
            )
        },
        scratch=folder / "scratch",
    )


def test_every_package_of_the_lock_has_a_version_and_hashes_and_no_address() -> None:
    text = LOCK.read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        if not entry.startswith("#"):
            assert re.match(r"[a-z0-9-]+==\S+", entry), entry
            assert "--hash=sha256:" in entry
    assert "://" not in text


def test_another_lock_has_another_folder(tmp_path: Path) -> None:
    other = tmp_path / "mo.lock"
    other.write_text(LOCK.read_text() + "# edited\n")
    one = environment_folder(TOOLCHAINS["mo"], LOCK, tmp_path)
    assert one != environment_folder(TOOLCHAINS["mo"], other, tmp_path)


def test_no_fitting_python_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "find_interpreter", lambda *_: None)
    with pytest.raises(PipelineError) as caught:
        make_environment(job(tmp_path, LOCK, offline=True))
    assert caught.value.code is Code.TOOLCHAIN
    assert "CPython 3.10, 3.11 or 3.12" in caught.value.render()
    assert "uv python install 3.10" in caught.value.render()
    assert not (tmp_path / "env").exists()


@pytest.mark.network
def test_a_wrong_hash_installs_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "mo.lock"
    lock.write_text(f"idna==3.10 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PipelineError) as caught:
        make_environment(job(tmp_path, lock))
    assert "Creating the environment" in caught.value.message
    assert "ash" in caught.value.detail
    assert not (tmp_path / "env").exists()
    assert not (tmp_path / "environment.json").exists()


@pytest.mark.network
def test_the_environment_runs_apart_from_ours(tmp_path: Path) -> None:
    pinned = next(
        entry
        for entry in re.split(r"\n(?=\S)", LOCK.read_text())
        if entry.startswith("defusedxml==")
    )
    lock = tmp_path / "mo.lock"
    lock.write_text(pinned + "\n")
    make_environment(job(tmp_path, lock))
    stamp = json.loads((tmp_path / "environment.json").read_text())
    assert stamp["python"] in TOOLCHAINS["mo"].pythons
    require(
        Environment(toolchain="mo", lock=lock, folder=tmp_path / "env", offline=True),
        (tmp_path / "environment.json").read_bytes(),
        tmp_path,
    )
    program = "import defusedxml, importlib.util as u; print(u.find_spec('openvino'))"
    finished = run_process([python_of(tmp_path / "env"), "-c", program], seconds=60, cwd=tmp_path)
    assert finished.output.strip() == "None"


def test_an_environment_of_another_python_is_refused(tmp_path: Path) -> None:
    environment = Environment(toolchain="mo", lock=LOCK, folder=tmp_path / "env", offline=True)
    python_of(environment.folder).parent.mkdir(parents=True)
    python_of(environment.folder).touch()
    (environment.folder / "environment.json").write_text('{"python": "3.11"}')
    write_record(environment.folder, Digest.of_file(LOCK).sha256, environment.folder)
    with pytest.raises(PipelineError) as caught:
        require(environment, b'{"python": "3.10"}', tmp_path)
    assert caught.value.code is Code.TOOLCHAIN
    assert ("3.10" in caught.value.expected, "3.11" in caught.value.found) == (True, True)


@pytest.mark.parametrize("read_only", [False, True])
def test_uv_keeps_its_cache_beside_the_environments_where_the_home_is_read_only(
    tmp_path: Path, read_only: bool
) -> None:
    (tmp_path / "mo.lock").write_text("")
    program = """
from pathlib import Path
from pipeline.toolchain.environment import Environment, ensure_environment
here = Path.cwd()
folder = here / "toolchains" / "mo-0123456789ab"
lock = here / "mo.lock"
ensure_environment(Environment(toolchain="mo", lock=lock, folder=folder, offline=True), here, print)
"""
    command = [sys.executable, "-c", program]
    # The record of the environment is written there.
    env = {"WASI_NN_CACHE": str(tmp_path / "cache")}
    (done,) = run_isolated([command], tmp_path, read_only=read_only, env=env)
    assert done.code == 0, done.stderr
    assert done.contacted == []
    assert python_of(tmp_path / "toolchains/mo-0123456789ab").exists()
    assert (tmp_path / "toolchains/uv").exists() == read_only
    assert {name.split("/")[1] for name in done.written} == (set() if read_only else {"uv"})
