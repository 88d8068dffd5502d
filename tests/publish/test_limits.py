"""A stranger's folder takes no more than it is allowed, and prints nothing but text."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pipeline.cli.main import main
from pipeline.execution.bounded_call import BoundedCalls
from pipeline.publish.validation import formatters
from pipeline.publish.validation.finding import Finding, Validation, ValidationVerdict
from pipeline.publish.validation.validate_bounded import validate_bounded
from pipeline.publish.validation.validate_fixture import validate
from tests.publish.restated import edit
from tests.tiny import Project

# Far more than is needed; what this guards against takes a quarter of an hour.
SECONDS = 300.0
RESULTS = 40_000
FILES = 30_000


@pytest.fixture
def folder(built: Project, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built.folder, tmp_path / "tiny"))


def endless(folder: Path) -> Validation:
    time.sleep(3600)
    raise AssertionError(folder)


def greedy(folder: Path) -> Validation:
    held = bytearray(1 << 31)
    held[:: 1 << 12] = b"x" * (1 << 19)
    time.sleep(3600)
    raise AssertionError(folder)


def deep(folder: Path) -> Validation:
    return deep(folder)


@pytest.mark.parametrize(
    ("look", "seconds", "message"),
    [
        (endless, 0.2, "The validation exceeded its time limit."),
        (greedy, SECONDS, "The validation exceeded its memory limit."),
        (deep, SECONDS, "The validation needs more memory or nesting than is allowed."),
    ],
)
def test_what_exceeds_a_limit_was_not_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], look: Any, seconds: float, message: str
) -> None:
    from pipeline.cli.validate import report

    with BoundedCalls(seconds, 1 << 30) as calls:
        validation = validate_bounded(calls, look, tmp_path)
    assert validation.verdict is ValidationVerdict.UNCHECKED
    assert [finding.message for finding in validation.findings] == [message]
    assert report([validation], as_json=False, github=False, junit=None) == 2
    assert "could not be checked" in capsys.readouterr().out


def test_the_worker_goes_on_after_a_limit(folder: Path) -> None:
    with BoundedCalls(SECONDS, 1 << 32) as calls:
        assert validate_bounded(calls, deep, folder).verdict is ValidationVerdict.UNCHECKED
        found = validate_bounded(calls, validate, folder, run=False)
    assert found == validate(folder, run=False)


@pytest.mark.parametrize("options", [["--seconds", "0"], ["--seconds", "nan"], ["--memory", "4"]])
@pytest.mark.parametrize("command", ["validate", "inspect"])
def test_a_limit_that_is_none_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, options: list[str]
) -> None:
    assert main([command, str(folder / "tiny.xml"), *options]) != 0
    assert "limit" in capsys.readouterr().err


def test_many_results_and_many_missing_files_are_looked_at_once(folder: Path) -> None:
    layers = [
        '<layer id="p" name="p" type="Parameter" version="opset1"><output><port id="0"/>'
        "</output></layer>"
    ]
    edges = []
    for number in range(RESULTS):
        layers.append(
            f'<layer id="{number}" name="r{number}" type="Result" version="opset1"><input>'
            f'<port id="0"/></input><output><port id="1"/></output></layer>'
        )
        edges.append(f'<edge from-layer="p" from-port="0" to-layer="{number}" to-port="0"/>')
    net = f'<net name="n" version="11"><layers>{"".join(layers)}</layers>'
    (folder / "tiny.xml").write_text(f"{net}<edges>{''.join(edges)}</edges></net>")
    (folder / "tiny.bin").write_bytes(b"")

    def more(manifest: dict[str, Any]) -> None:
        entry = {"size": 1, "sha256": "0" * 64}
        manifest["files"] += [{"path": f"missing-{number}", **entry} for number in range(FILES)]

    edit(folder, more)
    with BoundedCalls(SECONDS, 1 << 32) as calls:
        found = validate_bounded(calls, validate, folder, run=False)
    assert found.verdict is ValidationVerdict.INVALID
    assert len(found.findings) == 1001
    assert found.findings[-1].kind == "more"


@pytest.mark.parametrize("depth", [65, 300, 900, 100_000])
def test_a_manifest_that_is_nested_deep_is_one_finding(folder: Path, depth: int) -> None:
    path = folder / "manifest.json"
    nested = "[" * depth + "]" * depth
    path.write_text(path.read_text().replace("{", f'{{"note": {nested}, "text": "[[\\"",', 1))
    (finding,) = validate(folder, run=False).findings
    assert finding.kind == "manifest"


def lines(text: str) -> list[str]:
    return text.encode().decode().splitlines()


def test_names_are_one_line_of_text_in_every_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = folder.rename(tmp_path / "a\n::error file=x::forged\x1b[2J\u202e")
    (hostile / os.fsdecode(b"\xff\n::error::forged")).touch()
    junit = tmp_path / "report.xml"
    options = ["--no-run", "--github", "--junit", str(junit)]
    assert main(["validate", str(hostile), *options]) == 1
    out = lines(capsys.readouterr().out)
    assert sum(line.startswith("::error") for line in out) == 1
    assert not any("\x1b" in line or "\u202e" in line for line in out)
    assert main(["validate", str(hostile), "--no-run", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out.encode())
    assert "\\udcff" in found["findings"][0]["file"]
    suite = ElementTree.parse(junit).find("testsuite")
    assert suite is not None
    assert "\n" not in str(suite.get("name"))


def test_every_text_of_a_validation_is_cleaned() -> None:
    bad = "a\n::error::\x00\udcff\u202e"
    finding = Finding(kind=bad, message=bad, file=bad, expected=bad, found=bad, hint=bad)
    validation = Validation(
        folder=Path("::error::\n\udcff"),
        name=bad,
        root="sha256:0",
        verdict=ValidationVerdict.INVALID,
        trusted_by=bad,
        findings=(finding,),
        evidence={bad: "0"},
    )
    texts = [
        form([validation])
        for form in (
            formatters.as_text,
            formatters.as_json,
            formatters.as_annotations,
            formatters.as_junit,
        )
    ]
    for text in texts:
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    ElementTree.fromstring(texts[-1])
    assert json.loads(texts[1])[0]["findings"][0]["file"] == "a\\n::error::\\x00\\udcff\\u202e"
    assert sum(line.startswith("::error") for text in texts for line in lines(text)) == 1
