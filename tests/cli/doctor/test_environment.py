"""Python, packages, devices and the plug-in, each broken in an environment of its own."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from pipeline.cli.doctor.check import CheckResult, CheckStatus
from pipeline.cli.doctor.entry_points import registration
from pipeline.cli.doctor.packages import packages
from pipeline.cli.doctor.python import interpreter
from tests.cli.doctor.broken import DOIT, WASI_NN, module, package, run
from tests.tiny import ROOT, Project

ASK = """
import json
import shutil
from dataclasses import astuple
from pathlib import Path
from pipeline.cli.doctor.{0} import {1}
print(json.dumps([astuple(line) for line in {1}({2})]))
"""


def told(tmp_path: Path, room: str, check: str, argument: str = "") -> list[CheckResult]:
    """Return what a check says in a process that has ``tmp_path`` before all that is installed."""
    command = (sys.executable, "-c", ASK.format(room, check, argument))
    done = run(command, cwd=tmp_path, before=tmp_path / "before")
    assert done.returncode == 0, done.stderr
    return [
        CheckResult(c, s, CheckStatus(v), found, fix)
        for c, s, v, found, fix in json.loads(done.stdout)
    ]


def wrong(lines: list[CheckResult]) -> dict[str, CheckResult]:
    return {line.subject: line for line in lines if line.status is CheckStatus.FAIL}


def test_a_python_that_is_too_old_is_wrong_and_one_that_is_untried_a_note() -> None:
    [old] = interpreter((3, 10))
    assert old.status is CheckStatus.FAIL
    assert "3.11 to 3.13 is required" in old.found
    assert "uv venv" in old.fix
    [new] = interpreter((3, 15))
    assert new.status is CheckStatus.WARN
    assert interpreter((3, 12))[0].status is CheckStatus.OK


def test_this_environment_is_fine() -> None:
    lines = packages(building=True)
    assert wrong(lines) == {}
    assert any(line.subject == "openvino" and "required >=" in line.found for line in lines)


def test_a_package_that_is_too_old_is_named_with_what_is_wanted(tmp_path: Path) -> None:
    package(tmp_path / "before", "wasmtime", "12.0")
    found = wrong(told(tmp_path, "packages", "packages", "building=True"))["wasmtime"]
    assert found.found.startswith("12.0 is installed, >=")
    assert found.fix.startswith("pip install 'wasmtime>=")


def test_a_package_that_does_not_load_is_wrong_with_its_devices(tmp_path: Path) -> None:
    module(tmp_path / "before", "openvino", "raise ImportError('libtbb.so.12: cannot open')")
    found = wrong(told(tmp_path, "packages", "packages", "building=True"))["openvino"]
    assert "does not load: ImportError: libtbb.so.12: cannot open" in found.found
    assert found.fix.startswith("pip install --force-reinstall 'openvino")
    [line] = told(tmp_path, "devices", "devices")
    assert line.status is CheckStatus.FAIL
    assert "libtbb.so.12" in line.found


def test_a_package_that_crashes_takes_nobody_along(tmp_path: Path) -> None:
    module(tmp_path / "before", "openvino", "import os; os.abort()")
    [line] = told(tmp_path, "devices", "devices")
    assert "ended with exit status" in line.found


def test_an_openvino_without_a_cpu_is_wrong(tmp_path: Path) -> None:
    text = (
        "class Core:\n    available_devices = ['GPU']\n"
        "    def get_property(self, device, name): return 'a card'\n"
    )
    module(tmp_path / "before", "openvino", text)
    gpu, cpu = told(tmp_path, "devices", "devices")
    assert (gpu.status, gpu.found) == (CheckStatus.OK, "a card")
    assert (cpu.subject, cpu.status) == ("CPU", CheckStatus.FAIL)


def test_packages_that_do_not_fit_one_another_are_told(tmp_path: Path) -> None:
    package(tmp_path / "before", "filelock", "99.0", "numpy<1")
    found = wrong(told(tmp_path, "packages", "packages", "building=True"))["filelock"]
    assert found.found.startswith("requires numpy: ")
    assert found.found.endswith("is installed, <1 is required")


def test_a_package_that_is_missing_is_wrong_and_an_extra_only_a_note(tmp_path: Path) -> None:
    needs = ("no-such-thing>=2", 'nor-this>=1; extra == "dask"')
    package(tmp_path / "before", "wasi-nn-pipeline", "0.1.0", *needs)
    thing, extra = told(tmp_path, "packages", "packages", "building=True")
    assert (thing.status, thing.found) == (CheckStatus.FAIL, "not installed")
    assert thing.fix == "pip install 'no-such-thing>=2'"
    assert (extra.status, extra.fix) == (
        CheckStatus.WARN,
        "pip install 'wasi-nn-pipeline[dask]==0.1.0'",
    )


def test_the_plug_in_is_registered_here() -> None:
    lines = registration(ROOT)
    assert wrong(lines) == {}
    with (ROOT / "pyproject.toml").open("rb") as stream:
        declared = tomllib.load(stream)["project"]["entry-points"]["doit.COMMAND"]
    assert next(x for x in lines if x.subject == "doit.COMMAND").found == ", ".join(
        sorted(declared)
    )


def stale(folder: Path) -> None:
    """Install the package as it was before it had a doctor."""
    points = distribution("wasi-nn-pipeline").read_text("entry_points.txt") or ""
    kept = [line for line in points.splitlines() if not line.startswith("doctor")]
    package(folder, "wasi-nn-pipeline", "0.1.0", points="\n".join(kept))


def test_an_install_that_is_older_than_a_command_is_told(tmp_path: Path) -> None:
    stale(tmp_path / "before")
    lines = told(tmp_path, "entry_points", "registration", f"Path({str(ROOT)!r})")
    found = wrong(lines)["doit.COMMAND"]
    assert found.found == "outdated install, without doctor"
    assert found.fix == "pip install 'wasi-nn-pipeline[build]==0.1.0'"


def test_a_command_that_is_gone_is_told(tmp_path: Path) -> None:
    points = "[doit.COMMAND]\nrun = pipeline.doit_plugin.commands.gone.Run\n"
    package(tmp_path / "before", "wasi-nn-pipeline", "0.1.0", points=points)
    found = wrong(told(tmp_path, "entry_points", "registration", "Path()"))
    assert "run does not load: ModuleNotFoundError" in found["doit.COMMAND"].found


def test_doit_itself_says_what_to_do_where_it_knows_no_doctor(
    tmp_path: Path, project: Project
) -> None:
    stale(tmp_path / "before")
    shutil.copy(ROOT / "pyproject.toml", project.root)
    done = run(DOIT, "doctor", cwd=project.root, before=tmp_path / "before")
    assert done.returncode != 0
    assert "was installed before it had the command `doit doctor`" in done.stderr
    assert "pip install 'wasi-nn-pipeline[build]==0.1.0'" in done.stderr
    assert "`wasi-nn doctor` has details" in done.stderr
    # Its other commands are as they were.
    assert run(DOIT, "list", cwd=project.root, before=tmp_path / "before").returncode == 0


@pytest.mark.parametrize("name", ["msgspec", "rich", "doit"])
def test_the_doctor_works_where_a_package_is_missing(tmp_path: Path, name: str) -> None:
    text = f"raise ModuleNotFoundError('no {name} here', name={name!r})"
    module(tmp_path / "before", name, text)
    done = run(WASI_NN, "doctor", str(tmp_path), cwd=tmp_path, before=tmp_path / "before")
    assert "Traceback" not in done.stderr
    assert "fine python version: " in done.stdout
    if name == "msgspec":
        assert done.returncode == 1
        assert "wrong package msgspec: " in done.stdout
        other = run(WASI_NN, "convert", "x.onnx", cwd=tmp_path, before=tmp_path / "before")
        assert other.returncode == 1
        assert other.stderr.startswith("error[toolchain]: This command needs the package msgspec")
        assert "`wasi-nn doctor` shows what else is missing" in other.stderr
    if name == "doit":
        assert "wrong plug-in doit.COMMAND: " in done.stdout


def test_doit_doctor_works_where_a_package_is_missing(tmp_path: Path) -> None:
    module(tmp_path / "before", "msgspec", "raise ModuleNotFoundError('no', name='msgspec')")
    done = run(DOIT, "doctor", cwd=tmp_path, before=tmp_path / "before")
    assert done.returncode == 1
    assert "wrong package msgspec: " in done.stdout
