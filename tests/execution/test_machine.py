"""What another user keeps on this machine is as if it were not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.execution.machine import entries, home, programs_named
from pipeline.guest.languages.rust import Rust
from pipeline.toolchain import interpreters
from pipeline.toolchain.interpreters import find_interpreter, uv_program
from tests.tiny import Project

NOBODY = 65534
# Of a name like this, every system call says that it is too long, also to root.
ENDLESS = "/" + "x" * 5000


def as_nobody(check: Callable[[], bool]) -> bool:
    """Return what a check says in a process without a right to others' folders."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with programs that nobody may look into: PATH, rustup's home and pyenv's."""
    folder = tmp_path / "closed"
    for name in ("bin/rustc", "bin/python3.99", "toolchains/stable/bin/rustc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{ENDLESS}")
    for name in ("RUSTUP_HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "HOME"):
        monkeypatch.setenv(name, str(folder))
    yield folder
    folder.chmod(0o700)


def test_programs_are_found_in_the_order_of_the_path(closed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "rustc").symlink_to(closed / "bin/rustc")
    os.environ["PATH"] += f"{os.pathsep}{other}"
    assert list(programs_named("rustc")) == [closed / "bin/rustc", other / "rustc"]


def test_a_folder_of_another_user_has_nothing_for_us(closed: Path) -> None:
    assert list(programs_named("rustc"))
    assert entries(closed / "toolchains", "*")
    closed.chmod(0)
    assert as_nobody(lambda: not list(programs_named("rustc")))
    assert as_nobody(lambda: not entries(closed / "toolchains", "*"))


def test_compilers_and_interpreters_are_looked_for_elsewhere(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # Where anyone may run it: this environment's own may lie in a folder of its user alone.
        uv = shutil.copy(uv_program(), scratch)
        for path in (scratch, uv):
            Path(path).chmod(0o755)
        answers: list[str] = []

        def run_uv(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            # Without the process that ends it with its parent: Python may lie in such a folder too.
            del options["seconds"]
            done = subprocess.run(command, capture_output=True, text=True, **options)
            answers.append(done.stderr)
            return done

        monkeypatch.setattr(interpreters, "uv_program", lambda: uv)
        monkeypatch.setattr(interpreters, "run_process", run_uv)
        closed.chmod(0)
        assert as_nobody(lambda: not Rust().compiler())
        assert as_nobody(
            lambda: (
                find_interpreter(("3.99",), Path(scratch)) is None
                and "No interpreter found" in answers[-1]
            )
        )


def test_every_command_works_with_such_an_entry(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{ENDLESS}{os.pathsep}{os.environ['PATH']}")
    for command in ("list", "status", "plan", "doctor"):
        run = project.doit(command)
        assert run.returncode == 0, run.output


def test_a_user_without_a_home_has_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    assert not home().exists()
