"""The suite as the command runs it: on this host, on the Wasmtime CLI, and on any command."""

from __future__ import annotations

import json
import os
import re
import sys
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipeline.cli.main import main
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.hosts import named_host
from pipeline.conformance.kit.cases import ConformanceHost, read_cases
from pipeline.conformance.kit.judge import CONFORMS, OTHER, UNSAFE, Result
from pipeline.conformance.kit.run_cases import run, run_all
from pipeline.conformance.pages import as_list
from tests.processes import ended

ROOT = Path(__file__).parents[2]
MATRIX = ROOT / "docs" / "conformance-matrix.md"
OPENVINO = [case for case in CASES if case.encoding == "openvino"]
# What the Wasmtime CLI is known to do, from its own issues and from probes.
CRASHES = {
    *("load-builders-out-of-bounds", "load-xml-out-of-bounds", "load-xml-past-4-gib"),
    *("load-target-tpu", "input-data-short", "input-data-out-of-bounds"),
    *("input-dims-out-of-bounds", "input-rank-huge", "output-buffer-out-of-bounds"),
}
STALE = {"output-before-compute", "output-bytes-before-compute", "compute-without-input"}


# In this process test_cases.py runs all of them.
@pytest.mark.parametrize("cases", ["compute-*", pytest.param("*", marks=pytest.mark.slow)])
def test_every_case_conforms_in_a_process_of_its_own(
    capsys: pytest.CaptureFixture[str], cases: str
) -> None:
    assert main(["conformance", "--json", "--case", cases]) == 0
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    names = [case.name for case in OPENVINO if fnmatch(case.name, cases)]
    assert names
    assert [case["name"] for case in host["cases"]] == names
    assert {case["verdict"] for case in host["cases"]} == {"conforms"}


@pytest.fixture(scope="session")
def wasmtime(tmp_path_factory: pytest.TempPathFactory) -> ConformanceHost:
    return named_host("wasmtime", tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def on_wasmtime(kit: Path, wasmtime: ConformanceHost) -> list[Result]:
    return run_all(wasmtime, read_cases(kit), 60, os.cpu_count() or 1, lambda _: None)


def test_what_wasmtime_is_known_to_do_is_found(
    wasmtime: ConformanceHost, on_wasmtime: list[Result]
) -> None:
    found = {result.case.name: result for result in on_wasmtime}
    assert found["load-infer"].verdict == CONFORMS
    if not wasmtime.version.startswith("49."):
        pytest.skip(f"what is known is of Wasmtime 49, not {wasmtime.version}")
    assert all("crashes" in found[name].found for name in CRASHES)
    assert all(found[name].verdict == UNSAFE for name in STALE)
    # A trap is what the text asks for a bad pointer and for a number outside an enum.
    assert found["load-handle-out-of-bounds"].verdict == CONFORMS
    assert found["load-encoding-out-of-range"].verdict == CONFORMS
    assert found["input-index"].verdict == OTHER
    assert found["unload-twice"].verdict == "not offered"


def test_the_matrix_that_is_shipped_is_true(
    wasmtime: ConformanceHost, on_wasmtime: list[Result]
) -> None:
    text = MATRIX.read_text(encoding="utf-8")
    version = re.search(r"Wasmtime ([\d.]+)", text)
    assert version
    if wasmtime.version != version[1]:
        pytest.skip(f"the matrix is of Wasmtime {version[1]}, here is {wasmtime.version}")
    core = text.partition("## OpenVINO\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| [a-z]+ \| \S+ \| (\S+) \|", core, re.M))
    marks = {"conforms": "●", "another answer": "○", "not offered": "–", "unsafe": "**unsafe**"}
    found = {each.case.name: marks.get(each.verdict, each.verdict) for each in on_wasmtime}
    assert rows == found


def test_what_wasmtime_does_with_components_is_found(kit: Path, wasmtime: ConformanceHost) -> None:
    text = MATRIX.read_text(encoding="utf-8").partition("\n## Components\n")[2]
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| [a-z]+ \| (\S+) \| ●", text, re.M))
    assert len(rows) == sum(case.component for case in CASES)
    if not wasmtime.version.startswith("49."):
        pytest.skip(f"what is known is of Wasmtime 49, not {wasmtime.version}")
    chosen = [
        case
        for case in read_cases(kit, ("component",))
        if rows[case.name] == "**unsafe**" or case.name == "infer"
    ]
    assert len(chosen) == 9
    found = run_all(wasmtime, chosen, 60, os.cpu_count() or 1, lambda _: None)
    assert {each.case.name: each.verdict for each in found} == {
        case.name: CONFORMS if case.name == "infer" else UNSAFE for case in chosen
    }


def test_the_list_of_cases_that_is_shipped_is_the_suite() -> None:
    shipped = (ROOT / "docs" / "conformance-cases.md").read_text(encoding="utf-8")
    assert shipped == as_list(CASES), "wasi-nn conformance --list --matrix makes it"


@pytest.mark.parametrize(
    ("name", "banner", "title", "arguments"),
    [
        (
            "wasmedge",
            "wasmedge version 0.17.0-dev",
            "WasmEdge 0.17.0-dev",
            "--nn-preload=add:openvino:CPU:{dir}/add/model.xml:{dir}/add/model.bin {wasm}",
        ),
        ("iwasm", "iwasm 2.4.3", "WAMR 2.4.3", "{wasm}"),
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
    program, seen = tmp_path / name, tmp_path / "seen"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nfrom pathlib import Path\n"
        f"if sys.argv[1:] == ['--version']: print({banner!r})\n"
        f"else: Path({str(seen)!r}).write_text(os.getcwd() + ' ' + ' '.join(sys.argv[1:]));"
        " print('ok')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    host = named_host(name, tmp_path)
    assert f"{host.name} {host.version}" == title
    case = next(case for case in read_cases(kit) if case.name == "name-found")
    assert run(host, case, 60).verdict == CONFORMS
    models = kit / "models" / "openvino"
    folder = models / "flat" if name == "iwasm" else Path.cwd()
    places = {"dir": str(models), "wasm": str(kit / "openvino" / "name-found.wasm")}
    assert seen.read_text() == f"{folder} {arguments.format(**places)}"

    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert main(["conformance", "--host", name]) == 1
    assert "is not installed" in capsys.readouterr().err


def test_a_host_that_hangs_is_a_result(kit: Path) -> None:
    program = [sys.executable, "-c", "import time; time.sleep(60)", "{wasm}"]
    result = run(ConformanceHost("sleeper", "", program), read_cases(kit)[0], 1)
    assert (result.verdict, result.found) == (UNSAFE, "the host hangs")


def test_a_process_that_a_host_leaves_behind_is_ended(kit: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time;"
        f" time.sleep(600)']); open({str(note)!r}, 'w').write(str(p.pid)); print('ok')"
    )
    program = [sys.executable, "-c", code, "{wasm}"]
    assert run(ConformanceHost("leaver", "", program), read_cases(kit)[0], 60).verdict == CONFORMS
    assert ended(int(note.read_text()))


def test_any_command_is_a_host_and_junit_has_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = f"{sys.executable} -c \"print('differs: a & <b>')\" {{wasm}} {{dir}}"
    report = tmp_path / "report.xml"
    options = ["conformance", "--case", "load-infer", "--host", host, "--junit", str(report)]
    options += ["--name", "Mine", "--version", "1.2"]
    assert main([*options, "--github"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^differs +spec +load-infer +a & <b>$", out, re.M)
    assert "Mine 1.2\n" in out
    assert "::error title=wasi-nn load-infer::differs: a & <b>%0Aexpected: " in out
    suite = ElementTree.parse(report).find("testsuite")
    assert suite is not None
    assert suite.get("name") == "Mine 1.2"
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "a & <b>"
    for passing in (["--allow", "differs"], ["--level", "safety"]):
        assert main([*options, *passing]) == 0
        assert ElementTree.parse(report).find("testsuite/testcase/failure") is None


def test_a_template_spells_named_graphs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # What is found is cut, so the folder of the kit is left out.
    code = "import sys; print('differs:', *(each.rpartition('/kit/')[2] for each in sys.argv[1:]))"
    host = f'{sys.executable} -c "{code}" {{graph}} {{wasm}} {{args}}'
    graph = "--load {name}:{encoding} {path}"
    options = ["conformance", "--host", host, "--graph", graph]
    main([*options, "--case", "name-host-path", "--case", "load-infer", "--json"])
    (column,) = json.loads(capsys.readouterr().out)["hosts"]
    plain, named = (case["found"] for case in column["cases"])
    assert plain.endswith("openvino/load-infer.wasm")
    assert "--load" not in plain
    assert named == (
        "--load add:openvino models/openvino/add openvino/name-host-path.wasm"
        " models/openvino/add/model.xml"
    )


def test_hosts_stand_side_by_side(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    host = f"{sys.executable} -c \"print('differs: a | b')\" {{wasm}}"
    stored = tmp_path / "stored.json"
    case = {"name": "load-infer", "verdict": "unsafe", "found": "the host crashes: at 0x7f0000"}
    column = {"name": "Other", "version": "9", "cases": [case]}
    stored.write_text(json.dumps({"suite": 2, "date": "2026-01-01", "hosts": [column]}))
    options = ["conformance", "--case", "load-infer", "--host", "this", "--host", host, "--matrix"]
    assert main([*options, "--results", str(stored)]) == 1
    out = capsys.readouterr().out
    assert re.search(r"\| case \| level \| this host [\d.]+ \| python\S* \| Other 9 \|", out)
    assert "| load-infer | spec | ● | differs | **unsafe** |" in out
    assert "| Other 9 | 2026-01-01, from suite 2 |" in out
    assert "a \\| b" in out
    # Where another host's memory is at fault, the kind alone is repeated.
    assert "| unsafe: the host crashes |" in out
    assert "0x7f" not in out


def test_a_case_is_explained_for_a_maintainer(capsys: pytest.CaptureFixture[str]) -> None:
    host = f"{sys.executable} -c \"print('unsafe: foreign bytes')\" {{wasm}}"
    assert main(["conformance", "--host", host, "--explain", "input-data-short"]) == 0
    page = capsys.readouterr().out
    assert "- found: unsafe: foreign bytes" in page
    assert "- level: spec" in page
    assert "the array length must match" in page
    assert "security policy" in page
    assert re.search(r"^\$ .*openvino/input-data-short\.wasm", page, re.M)
    assert "(drop (call $set_input" in page
    assert ";; expected: an error" in page


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--host", "nothing"], "a command with {wasm}"),
        (["--host", "'open {wasm}"], "No closing quotation"),
        (["--host", "/no/such/program {wasm}", "--case", "load-infer"], "cannot be started"),
        (["--case", "load-nothing"], "No such case"),
        (["--jobs", "0"], "greater than 0"),
        (["--level", "safety,none"], "some of safety, spec, extension, choice"),
        (["--encodings", "ggml"], "some of openvino, onnx, tensorflowlite, component"),
        (["--host", "this", "--host", "this", "--baseline", "a"], "one --host"),
    ],
)
def test_what_a_user_may_mistype_is_one_clear_error(
    options: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", *options]) == 1
    assert error in capsys.readouterr().err


def test_the_list_says_what_each_case_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--list", "--case", "output-*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(case.name.startswith("output-") for case in OPENVINO)
    assert all(len(line.split(maxsplit=2)) == 3 for line in lines)
