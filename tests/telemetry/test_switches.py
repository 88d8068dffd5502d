"""Each package reports without its switch, and does not with it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.execution.process import run_process
from pipeline.telemetry import PREAMBLE, SWITCHES, disable_telemetry, private_home
from pipeline.toolchain.environment import (
    TOOLCHAINS,
    Environment,
    ensure_environment,
    environment_folder,
    python_of,
)
from tests.fixtures.kaldi_nets import nnet1
from tests.source.packages import sdist
from tests.source.recipe import Fetch
from tests.source.site import plainly, resumable, serving
from tests.telemetry.isolated import Isolated, run_isolated
from tests.tiny import BUILTIN, write_model

OPENVINO = "import openvino; openvino.convert_model"
ONNX_RUNTIME = "import onnxruntime; onnxruntime.InferenceSession('tiny.onnx')"
HUB = "from huggingface_hub.utils import build_hf_headers; build_hf_headers()"


def run(folder: Path, program: str, env: Mapping[str, str] | None = None) -> Isolated:
    write_model(folder / "tiny.onnx")
    (done,) = run_isolated([[sys.executable, "-c", program]], folder, env=env)
    assert done.code == 0, done.stderr
    return done


def test_openvino_reports_to_a_host(tmp_path: Path) -> None:
    done = run(tmp_path, OPENVINO)
    assert done.contacted == ["www.google-analytics.com"]
    assert done.written == ["intel/openvino_ga_cid", "intel/stats"]


def test_onnx_runtime_keeps_what_it_would_report(tmp_path: Path) -> None:
    written = run(tmp_path, ONNX_RUNTIME).written
    assert any(name.startswith(".cache/Microsoft/DeveloperTools/") for name in written)


def test_the_hub_asks_who_its_user_works_with(tmp_path: Path) -> None:
    assert run(tmp_path, HUB).contacted == ["huggingface.co"]


@pytest.mark.parametrize("program", [OPENVINO, ONNX_RUNTIME, HUB])
def test_none_does_in_a_process_that_has_imported_the_pipeline(
    tmp_path: Path, program: str
) -> None:
    done = run(tmp_path, f"import pipeline.errors; {program}")
    assert (done.contacted, done.written, done.stderr) == ([], [], "")


def test_openvino_does_not_after_the_preamble(tmp_path: Path) -> None:
    done = run(tmp_path, PREAMBLE + OPENVINO)
    assert (done.contacted, done.written) == ([], [])


def test_openvino_does_not_in_a_private_home(tmp_path: Path) -> None:
    private = private_home(tmp_path)
    before = sorted(Path(private["HOME"]).rglob("*"))
    # The program that isolates sets HOME to a home of its own.
    program = f"import os; os.environ['HOME'] = {private['HOME']!r}; {OPENVINO}"
    done = run(tmp_path, program, env=private)
    assert (done.contacted, done.written) == ([], [])
    assert sorted(Path(private["HOME"]).rglob("*")) == before


@pytest.mark.network
def test_model_optimizer_does_not(tmp_path: Path, toolchains: Path) -> None:
    lock = BUILTIN / "configs/toolchains/mo.lock"
    place = environment_folder(TOOLCHAINS["mo"], lock, toolchains)
    environment = Environment(toolchain="mo", lock=lock, folder=place, offline=False)
    ensure_environment(environment, tmp_path, lambda _: None)
    (tmp_path / "net.nnet").write_bytes(nnet1())
    (tmp_path / "made").mkdir()
    program = f"""
from pathlib import Path
from pipeline.config.model_tables import Model
from pipeline.model.convert.mo import convert_kaldi
from pipeline.model.convert.request import Request
model = Model(framework="kaldi", files={{}}, inputs={{}}, precision="f32")
request = Request(name="net", model=model, files={{"model": Path("net.nnet")}},
                  python=Path({str(python_of(place))!r}), seconds=300)
print(convert_kaldi(request, Path("made").absolute()))
"""
    done = run(tmp_path, program)
    assert Path(done.stdout.strip()).exists()
    assert (done.contacted, done.written) == ([], [])


def test_a_switch_of_the_users_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SWITCHES:
        monkeypatch.setenv(name, "their own")
    disable_telemetry()
    assert {name: os.environ[name] for name in SWITCHES} == dict.fromkeys(SWITCHES, "their own")


def test_a_child_with_an_environment_of_its_own_has_them(tmp_path: Path) -> None:
    program = f"import os; print([os.environ[name] for name in {list(SWITCHES)}])"
    done = run_process([sys.executable, "-c", program], seconds=60, cwd=tmp_path, env={})
    assert done.output.strip() == str(list(SWITCHES.values()))


@pytest.mark.skipif(shutil.which("npm") is None and not os.environ.get("CI"), reason="no npm")
def test_npm_is_asked_for_one_package_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = sdist({"package/a": b"a file"})
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    fetch = Fetch(tmp_path / "project")
    (tmp_path / "home").mkdir()
    for name in (*SWITCHES, "CI"):
        monkeypatch.delenv(name, raising=False)
    disable_telemetry()
    with serving() as site:
        dist = {
            "tarball": site.put("/net.tgz", resumable(archive)),
            "integrity": f"sha512-{digest}",
        }
        release = {"name": "net", "version": "1.0.0", "dist": dist}
        about = {"name": "net", "dist-tags": {}, "versions": {"1.0.0": release}}
        headers = {"Content-Type": "application/json"}
        site.put("/net", plainly(json.dumps(about).encode(), headers))
        monkeypatch.setenv("npm_config_registry", f"{site.address}/")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert fetch("npm:net==1.0.0#a", of=b"a file") == b"a file"
        assert [path for path, _ in site.asked] == ["/net", "/net.tgz"]
    assert list((tmp_path / "home").iterdir()) == []
