"""Interpreters are found by running them, whatever their names promise."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.toolchain import interpreters
from pipeline.toolchain.interpreters import find_interpreter

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
BASE = Path(sys.base_prefix, "bin", f"python{HERE}")


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
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "none"))
    return tmp_path


def found(*versions: str, scratch: Path) -> Path | None:
    interpreter = find_interpreter(versions, scratch)
    if interpreter is not None:
        assert interpreter.version == HERE
    return interpreter.program if interpreter else None


def test_the_python_of_this_environment_is_found(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(HERE, scratch=alone) is None
    monkeypatch.setattr(sys, "base_prefix", str(BASE.parents[1]))
    program(alone / "shims", "python3.99", "echo no such version >&2; exit 127\n")
    assert found("3.99", HERE, scratch=alone) == BASE


def test_a_name_that_lies_is_taken_for_what_it_is(alone: Path) -> None:
    program(alone / "shims", "python3.99", f'exec "{BASE}" "$@"\n')
    assert found("3.99", scratch=alone) is None


def test_a_working_interpreter_behind_a_broken_shim_is_found(alone: Path) -> None:
    program(alone / "shims", f"python{HERE}", "exit 127\n")
    assert found(HERE, scratch=alone) is None
    real = program(alone / "bin", f"python{HERE}", f'exec "{BASE}" "$@"\n')
    assert found("3.99", HERE, scratch=alone) in (real, BASE)


def test_a_version_of_pyenv_is_found_without_its_shim(alone: Path) -> None:
    program(alone / "shims", f"python{HERE}", "exit 127\n")
    folder = alone / f"pyenv/versions/{HERE}.1/bin"
    real = program(folder, f"python{HERE}", f'exec "{BASE}" "$@"\n')
    assert found(HERE, scratch=alone) in (real, BASE)


@pytest.mark.parametrize("text", ["echo 3.99\n", "echo '{}'\n", "kill -9 $$\n", "exit 0\n"])
def test_what_is_no_python_does_not_count(alone: Path, text: str) -> None:
    program(alone / "bin", f"python{HERE}", text)
    assert found(HERE, scratch=alone) is None


def test_a_config_of_uv_is_not_read(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone / "uv.toml").write_text('python-preference = "only-managed"\n')
    monkeypatch.setattr(sys, "base_prefix", str(BASE.parents[1]))
    assert found(HERE, scratch=alone) == BASE


def test_a_machine_without_uv_is_one_error(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(PipelineError) as caught:
        interpreters.find_interpreter((HERE,), alone)
    assert caught.value.code is Code.TOOLCHAIN
