"""A program that works on a stranger's files has few files, no network, and limits."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.execution.containment import Containment, run_contained
from pipeline.execution.process import Finished

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux")


def run(
    folder: Path,
    program: str,
    memory: int = 8 << 30,
    file: int = 1 << 30,
    disk: int = 1 << 30,
) -> Finished:
    """Run a Python program, contained in a folder of its own."""
    own = folder / "own"
    own.mkdir(exist_ok=True)
    readable = [Path(sys.prefix), Path(sys.base_prefix)]
    return run_contained(
        [sys.executable, "-I", "-c", program],
        Containment(folder=own, readable=readable, memory=memory, file=file, disk=disk),
        seconds=300,
        cwd=own,
        env={"GIVEN": "1"},
    )


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("of the user")
    return path


@pytest.mark.parametrize(
    "program",
    [
        "open({path!r}).read()",
        "open({path!r}, 'w')",
        "open({path!r} + '2', 'w')",
        "import os; os.unlink({path!r})",
        "import os; os.truncate({path!r}, 0)",
        "import os; os.listdir({folder!r})",
        "import os; os.symlink({path!r}, 'link'); open('link').read()",
        "import os; os.link({path!r}, 'link')",
        "open('/proc/{process}/environ').read()",
        "open('/proc/{process}/mem').read(1)",
        "open('/etc/passwd').read()",
        "import os; os.kill({process}, 0)",
        "import subprocess; subprocess.run(['cat', {path!r}], check=True)",
        "import socket; socket.create_connection(('127.0.0.1', {port}))",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('10.1.2.3', 53))",
    ],
)
def test_what_is_not_its_own_is_out_of_reach(tmp_path: Path, secret: Path, program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = program.format(
            path=str(secret), folder=str(tmp_path), process=os.getpid(), port=port
        )
        finished = run(tmp_path, text)
        assert finished.returncode != 0
        assert any(
            each in finished.output
            for each in (
                "Permission",
                "Errno 1]",
                "unreachable",
                "refused",
                "No such process",
                "cross-device",
                "Read-only",
                "non-zero",
            )
        ), finished.output
    assert secret.read_text() == "of the user"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["own", "secret"]


def test_its_own_folder_and_the_systems_programs_work(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, tempfile; open('a', 'w').write('b'); os.rename('a', 'c');"
        "tempfile.NamedTemporaryFile().write(b'x'); subprocess.run(['ls', '/usr'], check=True);"
        "open(os.devnull, 'w').write('x'); print(os.urandom(1) is not None)"
    )
    finished = run(tmp_path, program)
    assert finished.returncode == 0, finished.output
    assert (tmp_path / "own/c").read_text() == "b"


def test_it_has_few_variables_and_a_home_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "a secret")
    monkeypatch.setenv("PATH", f".:{tmp_path}:{os.environ['PATH']}")
    finished = run(tmp_path, "import os; print(dict(os.environ))")
    assert finished.returncode == 0, finished.output
    found = eval(finished.output)
    assert "TOKEN" not in found
    assert found["GIVEN"] == "1"
    assert Path(found["HOME"]).is_relative_to(tmp_path / "own")
    assert all(Path(each).is_absolute() for each in found["PATH"].split(os.pathsep))
    assert str(tmp_path) not in found["PATH"].split(os.pathsep)


def test_a_program_of_the_working_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/compiler").write_text("#!/bin/sh\ntouch ran\n")
    (tmp_path / "own/compiler").chmod(0o755)
    monkeypatch.chdir(tmp_path / "own")
    monkeypatch.setenv("PATH", f".::{os.defpath}")
    with pytest.raises(PipelineError) as caught:
        run_contained(
            ["compiler"], Containment(folder=tmp_path), seconds=60, cwd=tmp_path / "own", env={}
        )
    assert caught.value.code is Code.TOOLCHAIN
    assert not (tmp_path / "own/ran").exists()


def test_memory_and_files_are_limited(tmp_path: Path) -> None:
    finished = run(tmp_path, "bytearray(1 << 30)", memory=512 << 20)
    assert "MemoryError" in finished.output
    finished = run(tmp_path, "open('x', 'wb').write(bytes(2 << 20))", file=1 << 20)
    assert finished.returncode != 0
    assert (tmp_path / "own/x").stat().st_size <= 1 << 20


def test_a_program_that_fills_the_disk_is_ended(tmp_path: Path) -> None:
    program = (
        "import itertools\nfor at in itertools.count():\n open(str(at), 'wb').write(bytes(9999))"
    )
    with pytest.raises(PipelineError) as caught:
        run(tmp_path, program, disk=4 << 20)
    assert caught.value.code is Code.STORAGE


def test_its_exit_status_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "raise SystemExit(23)").returncode == 23
    assert run(tmp_path, "import os; os.abort()").returncode > 128
