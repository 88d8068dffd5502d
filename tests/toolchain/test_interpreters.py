"""Interpreters are found by running them, whatever their names promise."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.toolchain.interpreters import find_interpreter

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH and home hold only what the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "shims") + os.pathsep + str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    return tmp_path


def test_a_shim_that_fails_is_passed_over(alone: Path) -> None:
    program(alone / "shims", "python3.99", "echo no such version >&2; exit 127\n")
    found = find_interpreter(("3.99", HERE), alone)
    assert found is not None
    assert found.version == HERE


def test_a_name_that_lies_is_taken_for_what_it_is(alone: Path) -> None:
    program(alone / "shims", "python3.99", f'exec "{sys.executable}" "$@"\n')
    found = find_interpreter(("3.99", HERE), alone)
    assert found is not None
    assert found.version == HERE


def test_a_working_interpreter_behind_a_broken_shim_is_found(alone: Path) -> None:
    fake = 'import json; print(json.dumps(["cpython", [3, 99], True, "/"]))'.replace('"', '\\"')
    program(alone / "shims", "python3.99", "exit 127\n")
    real = program(alone / "bin", "python3.99", f'exec "{sys.executable}" -c "{fake}"\n')
    found = find_interpreter(("3.99", HERE), alone)
    assert found is not None
    assert (found.version, found.program) == ("3.99", real)


def test_a_version_of_pyenv_is_found_without_its_shim(alone: Path) -> None:
    fake = 'import json; print(json.dumps([\\"cpython\\", [3, 99], True, \\"/\\"]))'
    real = program(
        alone / "pyenv/versions/3.99.1/bin", "python3", f'exec "{sys.executable}" -c "{fake}"\n'
    )
    found = find_interpreter(("3.99",), alone)
    assert found is not None
    assert found.program == real


def test_another_implementation_does_not_count(alone: Path) -> None:
    fake = 'import json; print(json.dumps([\\"pypy\\", [3, 99], True, \\"/\\"]))'
    program(alone / "bin", "python3.99", f'exec "{sys.executable}" -c "{fake}"\n')
    assert find_interpreter(("3.99",), alone) is None
