"""The suite as it is run: by the command line, on the Wasmtime CLI, and as a kit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipeline.cli.main import main
from pipeline.conformance.case import Verdict
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.runner.hosts import ConformanceHost, named_host
from pipeline.conformance.runner.kit import write_kit
from pipeline.conformance.runner.suite import HostResults, run_suite

MATRIX = Path(__file__).parents[2] / "docs" / "conformance-matrix.md"
# What the Wasmtime CLI answered to probes of the same questions, before there was this suite.
CRASHES = {
    *("load-builders-out-of-bounds", "load-xml-out-of-bounds", "load-xml-past-4-gib"),
    *("load-target-tpu", "input-data-short", "input-data-out-of-bounds"),
    *("input-dims-out-of-bounds", "input-rank-huge", "output-buffer-out-of-bounds"),
}
STALE = {"output-before-compute", "compute-without-input", "output-after-new-input"}


# In this process test_cases.py runs all of them.
@pytest.mark.parametrize("cases", ["compute-*", pytest.param("*", marks=pytest.mark.slow)])
def test_every_case_conforms_in_a_process_of_its_own(
    capsys: pytest.CaptureFixture[str], cases: str
) -> None:
    assert main(["conformance", "--json", "--case", cases]) == 0
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    names = [case.name for case in CASES if fnmatch(case.name, cases)]
    assert names
    assert [case["name"] for case in host["cases"]] == names
    assert {case["verdict"] for case in host["cases"]} == {"conforms"}


@pytest.fixture(scope="session")
def wasmtime(kit: Path, tmp_path_factory: pytest.TempPathFactory) -> HostResults:
    host = named_host("wasmtime", tmp_path_factory.mktemp("tools"))
    return run_suite(host, CASES, kit, seconds=60)


def test_what_wasmtime_is_known_to_do_is_found(wasmtime: HostResults) -> None:
    found = {result.case.name: result for result in wasmtime.results}
    assert found["load-infer"].verdict is Verdict.CONFORMS
    if not wasmtime.host.version.startswith("49."):
        pytest.skip(f"what is known is of Wasmtime 49, not {wasmtime.host.version}")
    assert all("crashes" in found[name].found for name in CRASHES)
    assert all(found[name].verdict is Verdict.UNSAFE for name in STALE)
    assert "ends the guest" in found["load-encoding-out-of-range"].found


def test_the_matrix_that_is_shipped_is_true(wasmtime: HostResults) -> None:
    text = MATRIX.read_text(encoding="utf-8")
    version = re.search(r"Wasmtime ([\d.]+)", text)
    assert version
    if wasmtime.host.version != version[1]:
        pytest.skip(f"the matrix is of Wasmtime {version[1]}, here is {wasmtime.host.version}")
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| ● \| (\S+) \|$", text, re.M))
    marks = {Verdict.CONFORMS: "●", Verdict.DIFFERS: "differs", Verdict.UNSAFE: "**unsafe**"}
    assert rows == {result.case.name: marks[result.verdict] for result in wasmtime.results}


def test_the_kit_alone_finds_the_same(wasmtime: HostResults, kit: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kit, tmp_path / "kit")
    command = [part for part in wasmtime.host.command if part != "{wasm}"]
    ran = subprocess.run(
        ["./conformance.sh", *(part.replace("{dir}", "models") for part in command)],
        cwd=folder,
        env=wasmtime.host.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 1
    told = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    assert {name: text.partition(":")[0] for name, text in told.items()} == {
        result.case.name: result.verdict.value for result in wasmtime.results
    }


def test_the_kit_is_the_same_bytes_each_time(kit: Path, tmp_path: Path) -> None:
    write_kit(tmp_path / "again", CASES)
    files = [path for path in sorted(kit.rglob("*")) if path.is_file()]
    assert len(files) == 2 * len(CASES) + 5
    for path in files:
        assert (tmp_path / "again" / path.relative_to(kit)).read_bytes() == path.read_bytes()


def test_a_kit_is_not_written_over_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["conformance", "--kit", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert main(["conformance", "--kit", str(tmp_path / "new"), "--case", "load-*"]) == 0
    assert (tmp_path / "new" / "cases" / "load-infer.wasm").is_file()


@pytest.mark.parametrize(
    ("name", "banner", "title", "arguments"),
    [
        (
            "wasmedge",
            "wasmedge version 0.17.0-dev",
            "WasmEdge 0.17.0-dev",
            "--nn-preload=add:OpenVINO:CPU:{dir}/add/model.xml:{dir}/add/model.bin {wasm}",
        ),
        ("iwasm", "iwasm 2.4.3", "WAMR 2.4.3", "--dir={dir} {wasm}"),
    ],
)
def test_a_host_on_the_path_is_run_with_its_own_options(
    kit: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    banner: str,
    title: str,
    arguments: str,
) -> None:
    program, told = tmp_path / name, tmp_path / "told"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n"
        f"if sys.argv[1:] == ['--version']: print({banner!r})\n"
        f"else: Path({str(told)!r}).write_text(' '.join(sys.argv[1:])); print('ok')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    host = named_host(name, tmp_path)
    assert f"{host.name} {host.version}" == title
    (result,) = run_suite(host, CASES[:1], kit, seconds=60).results
    assert result.verdict is Verdict.CONFORMS
    places = {"dir": str(kit / "models"), "wasm": str(kit / "cases" / f"{CASES[0].name}.wasm")}
    assert told.read_text() == arguments.format(**places)

    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert main(["conformance", "--host", name]) == 1
    assert "is not installed" in capsys.readouterr().err


def test_a_host_that_hangs_is_a_result(kit: Path) -> None:
    program = [sys.executable, "-c", "import time; time.sleep(60)", "{wasm}"]
    host = ConformanceHost("sleeper", "", tuple(program), {})
    (result,) = run_suite(host, CASES[:1], kit, seconds=1).results
    assert (result.verdict, result.found) == (Verdict.UNSAFE, "the host hangs")


def test_any_command_is_a_host_and_junit_tells_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = f"{sys.executable} -c \"print('differs: a & <b>')\" {{wasm}} {{dir}}"
    report = tmp_path / "report.xml"
    options = ["conformance", "--case", "load-infer", "--host", host, "--junit", str(report)]
    assert main(options) == 1
    assert "differs   load-infer                      a & <b>" in capsys.readouterr().out
    failure = ElementTree.parse(report).find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "a & <b>"
    assert main([*options, "--allow", "differs"]) == 0
    assert ElementTree.parse(report).find("testsuite/testcase/failure") is None


def test_hosts_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    host = f"{sys.executable} -c \"print('differs: a | b')\" {{wasm}}"
    options = ["conformance", "--case", "load-infer", "--host", "this", "--host", host, "--matrix"]
    assert main(options) == 1
    out = capsys.readouterr().out
    assert re.search(r"\| case \| this host [\d.]+ \| python\S* \|", out)
    assert "| load-infer | ● | differs |" in out
    assert "a \\| b" in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "nothing"], "a command with {wasm}"),
        (["--host", "'open {wasm}"], "No closing quotation"),
        (["--host", "/no/such/program {wasm}", "--case", "load-infer"], "cannot be started"),
        (["--case", "load-nothing"], "No such case"),
        (["--jobs", "0"], "greater than 0"),
    ],
)
def test_what_a_user_may_mistype_is_one_clear_error(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", *options]) == 1
    assert told in capsys.readouterr().err


def test_the_list_says_what_each_case_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--list", "--case", "output-*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(case.name.startswith("output-") for case in CASES)
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)
