"""The kit alone: copied elsewhere, it needs Python and a host."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cache.owned_folder import claim
from pipeline.cli.main import main
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.hosts import named_host
from pipeline.conformance.kit.cases import read_cases
from pipeline.conformance.kit.run_cases import run_all
from pipeline.conformance.models.formats import FORMATS
from pipeline.conformance.single_file import single_file
from pipeline.conformance.write_kit import VERSION, kit_files, update_kit

FEW = ("load-infer", "name-*", "input-index", "input-data-short", "unload-twice", "streams")
PICKED = [word for name in FEW for word in ("--case", name)]


@pytest.fixture(scope="session")
def alone(kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(kit, tmp_path_factory.mktemp("elsewhere") / "kit")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the Wasmtime CLI needs, and a Python that does not see this project."""
    host = named_host("wasmtime", tmp_path_factory.mktemp("tools"))
    assert host.environment is not None
    return {**host.environment, "WASMTIME": host.command[0]}


def python(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    # -I -S: neither this project nor any package can be imported.
    return subprocess.run(
        [sys.executable, "-I", "-S", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_kit_alone_has_the_same_verdicts_and_writes_every_report(
    alone: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    options = ["--adapter", "wasmtime", *PICKED, "--json", str(report), "--junit", str(junit)]
    done = python(alone, environment, "conformance.py", *options, "--github")
    assert done.returncode == 1, done.stderr
    (column,) = json.loads(report.read_text())["hosts"]
    found = {case["name"]: case["verdict"] for case in column["cases"]}
    names = {name.removesuffix("*") for name in FEW}
    chosen = [each for each in read_cases(alone) if any(each.name.startswith(n) for n in names)]
    host = named_host("wasmtime", tmp_path)
    assert found == {
        each.case.title: each.verdict
        for each in run_all(host, [c for c in chosen if c.title in found], 60, 2, lambda _: None)
    }
    assert column["name"] == "Wasmtime"
    assert column["version"] == host.version
    assert "::error title=wasi-nn input-data-short::unsafe" in done.stdout
    assert "<failure" in junit.read_text()


def test_a_baseline_passes_at_once_and_fails_when_an_answer_changed(
    alone: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    options = ["conformance.py", "--adapter", "wasmtime", *PICKED, "--baseline", str(baseline)]
    assert python(alone, environment, *options).returncode == 0
    again = python(alone, environment, *options)
    assert again.returncode == 0
    assert "as in the baseline" in again.stdout

    recorded = json.loads(baseline.read_text())
    recorded["cases"]["input-index"]["answer"] = "set_input returned 4, advised 1"
    recorded["cases"]["load-infer"]["verdict"] = "unsafe"
    baseline.write_text(json.dumps(recorded))
    changed = python(alone, environment, *options)
    assert changed.returncode == 1
    assert "changed  input-index: another answer → another answer" in changed.stdout
    assert "better   load-infer: unsafe → conforms" in changed.stdout

    del recorded["cases"]["input-index"]
    recorded["cases"]["load-infer"]["verdict"] = "unsafe"
    baseline.write_text(json.dumps(recorded))
    assert python(alone, environment, *options).returncode == 0
    del recorded["cases"]["input-data-short"]
    baseline.write_text(json.dumps(recorded))
    new = python(alone, environment, *options)
    assert new.returncode == 1
    assert "new      input-data-short: unsafe" in new.stdout

    baseline.write_text(json.dumps({**recorded, "suite": 1}))
    other = python(alone, environment, *options)
    assert other.returncode == 2
    assert "record a new one" in other.stderr


def test_the_command_has_baselines_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def options(text: str) -> list[str]:
        host = f"{sys.executable} -c \"print('{text}')\" {{wasm}}"
        name = ["--case", "load-infer", "--baseline", str(tmp_path / "baseline.json")]
        return ["conformance", "--host", host, *name]

    assert main(options("differs: load returned 5")) == 0
    assert main(options("differs: load returned 5")) == 0
    assert main(options("differs: load returned 4")) == 1
    assert "differs (load returned 5 → load returned 4)" in capsys.readouterr().out
    assert main(options("ok")) == 0
    assert main([*options("ok"), "--update-baseline"]) == 0
    assert main(options("differs: load returned 5")) == 1
    (tmp_path / "baseline.json").write_text("[]")
    assert main(options("ok")) == 1
    assert "no baseline" in capsys.readouterr().err


def test_adapters_follow_the_protocol_of_wasi_testsuite(
    alone: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its runner does: load an adapter as a module, compute a command, compare the streams.

    Its protocol: doc/adapters.md and test-runner/wasi_test_runner/runtime_adapter.py.
    """
    import importlib.util

    monkeypatch.setenv("WASMTIME", environment["WASMTIME"])
    path = alone / "adapters" / "wasmtime.py"
    # An adapter that prints when it is run as a program is taken for one of the old protocol.
    assert python(alone, environment, str(path), "--version").stdout == ""
    spec = importlib.util.spec_from_file_location(path.name, path)
    assert spec is not None
    assert spec.loader is not None
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    assert adapter.get_name() == "Wasmtime"
    assert adapter.get_version()[0].isdigit()
    assert "wasm32-wasip1" in adapter.get_wasi_versions()
    assert "wasi:cli/command" in adapter.get_wasi_worlds()
    manifest = json.loads((alone / "openvino" / "manifest.json").read_text())
    assert manifest["name"] == "wasi-nn conformance, OpenVINO"

    def passes(name: str) -> bool:
        test_path = str(alone / "openvino" / f"{name}.wasm")
        expected = json.loads((alone / "openvino" / f"{name}.json").read_text())
        assert set(expected) <= {"args", "dirs", "env", "exit_code", "stdout", "graphs"}
        where = (expected["args"], expected["env"], None)
        argv = adapter.compute_argv(test_path, where, [], "wasi:cli/command", "wasm32-wasip1")
        assert all(isinstance(word, str) for word in argv)
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        printed = expected.get("stdout", "")
        return done.returncode == expected["exit_code"] and done.stdout.startswith(printed)

    for name in ("load-infer", "streams", "name-found", "name-host-path", "memory-not-exported"):
        assert passes(name), name
    # A trap of the guest, another errno, and an extension that is not offered.
    for name in ("load-handle-out-of-bounds", "input-index", "unload-twice"):
        assert passes(name), name
    for name in ("input-data-short", "output-before-compute"):
        assert not passes(name), name


def test_this_host_is_an_adapter_too(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"{sys.executable} -P -m pipeline.cli.main"
    environment = {**os.environ, "WASI_NN": program}
    done = python(alone, environment, "conformance.py", "--adapter", "wasi_nn", *PICKED)
    assert done.returncode == 0, done.stdout


def test_a_page_about_a_case_needs_the_kit_alone(alone: Path, environment: dict[str, str]) -> None:
    options = ["--adapter", "wasmtime", "--explain", "load-one-builder"]
    page = python(alone, environment, "conformance.py", *options).stdout
    assert page.startswith("# load-one-builder on Wasmtime ")
    assert "(module" in page
    assert "$ " in page
    assert "load returned 5, advised 1" in page


def test_the_kit_is_the_same_bytes_each_time_and_small(kit: Path, tmp_path: Path) -> None:
    written = {
        path.relative_to(kit).as_posix(): path.read_bytes()
        for path in kit.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    again = kit_files(CASES)
    assert written == again
    assert sum(map(len, again.values())) < 2_000_000
    for line in again["SHA256SUMS"].decode().splitlines():
        digest, path = line.split("  ")
        assert hashlib.sha256(again[path]).hexdigest() == digest


def test_a_kit_is_brought_up_to_date(kit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    claim(folder.parent)
    assert update_kit(folder, CASES)
    assert not update_kit(folder, CASES)
    (folder / "openvino" / "load-infer.wasm").write_bytes(b"")
    (folder / "old").mkdir()
    (folder / "old" / "case.wasm").write_bytes(b"")
    assert update_kit(folder, CASES)
    assert {path.relative_to(folder) for path in folder.rglob("*")} == {
        path.relative_to(kit) for path in kit.rglob("*") if "__pycache__" not in path.parts
    }


def test_every_encoding_has_its_models_and_cases(kit: Path) -> None:
    for name in FORMATS:
        manifest = json.loads((kit / name / "manifest.json").read_text())
        cases = sorted(path.stem for path in (kit / name).glob("*.wasm"))
        assert sorted(manifest["cases"]) == cases
        assert len(cases) > 70
        sizes = [path.stat().st_size for path in (kit / "models" / name / "add").iterdir()]
        assert 0 < sum(sizes) < 1500
    components = json.loads((kit / "component" / "manifest.json").read_text())
    assert sorted(components["cases"]) == sorted(
        path.stem for path in (kit / "component").glob("*.wasm")
    )
    assert components["wasi_version"] == "wasm32-wasip2"


def test_a_kit_is_not_written_over_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["conformance", "--kit", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert main(["conformance", "--kit", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "openvino" / "load-infer.wasm").is_file()


def test_two_modules_with_one_name_are_not_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "twice"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("one", "two"):
        (package / f"{name}.py").write_text('"""Doc."""\nimport os\n\nPLACE = os.sep\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="PLACE is defined in one and in two"):
        single_file("twice", ["one", "two"])
    assert single_file("twice", ["one"]).count("import os") == 1


def test_the_lock_has_the_kit_of_this_code() -> None:
    lock = json.loads((Path(__file__).parents[2] / "artifacts" / "lock.json").read_bytes())
    sums = kit_files(CASES)["SHA256SUMS"]
    digest = f"sha256:{hashlib.sha256(sums).hexdigest()}"
    assert lock["conformance"] == {"digest": digest, "suite": VERSION}, "doit kit writes it"


def test_the_workflow_s_command_runs(
    alone: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    workflow = (alone / "workflows" / "wasmtime.yml").read_text()
    (line,) = (each.strip() for each in workflow.splitlines() if "ci/conformance/conf" in each)
    program, script, *options = shlex.split(line)
    assert program == "python"
    (tmp_path / "ci").mkdir()
    shutil.copytree(alone, tmp_path / "ci" / "conformance")
    done = python(tmp_path, environment, script, *options, "--case", "load-infer")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ci" / "wasi-nn-baseline.json").is_file()
    assert "<testsuite" in (tmp_path / "conformance.xml").read_text()
    for name in ("wasmedge", "iwasm"):
        assert "Untested" in (alone / "workflows" / f"{name}.yml").read_text()
