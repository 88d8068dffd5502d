"""`doit lock` keeps the bytes of what is built; `doit lock --check` notices others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import Project


@pytest.fixture
def lock(project: Project) -> Path:
    """The lock of the small project, fresh."""
    run = project.doit("lock")
    assert run.returncode == 0, run.output
    return project.root / "artifacts" / "lock.json"


def read(lock: Path) -> Any:
    return json.loads(lock.read_bytes())


def change(lock: Path, **fields: Any) -> None:
    """Change fields of the locked fixture, as if another machine had locked it."""
    content = read(lock)
    content["fixtures"]["tiny"] |= fields
    lock.write_text(json.dumps(content))


def other_bytes(lock: Path, *names: str) -> dict[str, Any]:
    files: dict[str, Any] = read(lock)["fixtures"]["tiny"]["files"]
    return files | {name: {**files[name], "sha256": "0" * 64} for name in names}


def test_the_lock_holds_every_file_with_its_step_and_tools(project: Project, lock: Path) -> None:
    tiny = read(lock)["fixtures"]["tiny"]
    manifest = json.loads((project.folder / "manifest.json").read_bytes())
    assert set(tiny["files"]) == {file["path"] for file in manifest["files"]}
    xml = tiny["files"]["tiny.xml"]
    assert xml["recipe"] == "ir:tiny"
    assert {"openvino", "platform"} <= set(xml["tools"])
    assert tiny["files"]["classify.wasm"]["tools"] == ["openvino", "platform", "ziglang"]
    assert tiny["tools"]["openvino"] == manifest["tools"]["openvino"]
    assert tiny["cases"]["red"][0]["index"] == 0


def test_locking_twice_gives_the_same_bytes(project: Project, lock: Path) -> None:
    before = lock.read_bytes()
    run = project.doit("lock", "tiny")
    assert run.output == f"tiny: unchanged, {len(read(lock)['fixtures']['tiny']['files'])} files\n"
    assert lock.read_bytes() == before


def test_what_is_as_it_is_locked_passes(project: Project, lock: Path) -> None:
    run = project.doit("lock", "--check")
    assert run.returncode == 0, run.output
    count = len(read(lock)["fixtures"]["tiny"]["files"])
    assert run.output == f"tiny: {count} of {count} files match the lock\n"


def test_other_bytes_of_the_same_tools_fail(project: Project, lock: Path) -> None:
    change(lock, files=other_bytes(lock, "tiny.bin"))
    run = project.doit("lock", "--check")
    assert run.returncode == 1
    assert "differs from the lock, though its tools are the locked ones" in run.output
    assert "where:    artifacts/tiny/tiny.bin\n" in run.output
    assert "hint:     If that is intended: doit lock tiny" in run.output


def test_other_bytes_of_another_version_are_told_with_the_tool(
    project: Project, lock: Path
) -> None:
    tools = read(lock)["fixtures"]["tiny"]["tools"]
    change(lock, files=other_bytes(lock, "tiny.xml"), tools=tools | {"openvino": "2026.1.0"})
    run = project.doit("lock", "--check")
    assert run.returncode == 0, run.output
    assert "tiny/tiny.xml: other bytes by openvino 2026.1.0 → " in run.output
    assert "; the same network by its canonical digest" in run.output


def test_a_tool_excuses_only_what_it_makes(project: Project, lock: Path) -> None:
    fixture = read(lock)["fixtures"]["tiny"]
    tools, tensor = fixture["tools"], next(p for p in fixture["files"] if p.endswith(".rgb"))
    change(lock, files=other_bytes(lock, tensor), tools=tools | {"ziglang": "0.1"})
    run = project.doit("lock", "--check")
    assert run.returncode == 1
    assert f"where:    artifacts/tiny/{tensor}\n" in run.output


def test_an_output_that_strayed_fails_whatever_the_tools(project: Project, lock: Path) -> None:
    fixture = read(lock)["fixtures"]["tiny"]
    red = fixture["cases"]["red"]
    red[0]["value"] += 0.5
    tools = fixture["tools"] | {"openvino": "2026.1.0"}
    change(lock, cases=fixture["cases"], tools=tools, canonical_digest="0" * 64)
    run = project.doit("lock", "--check")
    assert run.returncode == 1
    assert "where:    artifacts/tiny/evidence/red\n" in run.output


def test_a_file_more_or_less_fails(project: Project, lock: Path) -> None:
    files = read(lock)["fixtures"]["tiny"]["files"]
    files["old.bin"] = files.pop("model.bin")
    change(lock, files=files)
    run = project.doit("lock", "--check")
    assert run.returncode == 1
    assert "The file is locked, and was not made." in run.output
    assert "The file is not in the lock." in run.output


def test_what_is_not_built_is_not_locked(project: Project, lock: Path) -> None:
    before = lock.read_bytes()
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 37]")
    for command in (["lock"], ["lock", "--check"]):
        run = project.doit(*command)
        assert run.returncode == 1
        assert run.output.startswith("error[lock]: What is built is not what the configs say.\n")
        assert "hint:     Build it first: doit manifest:tiny" in run.output
    assert lock.read_bytes() == before


def test_a_fixture_that_is_not_locked_fails_the_check(project: Project) -> None:
    run = project.doit("lock", "--check")
    assert run.returncode == 1
    assert "The fixture is not locked." in run.output


def test_a_fixture_without_a_config_is_dropped(project: Project, lock: Path) -> None:
    content = read(lock)
    content["fixtures"]["gone"] = content["fixtures"]["tiny"]
    lock.write_text(json.dumps(content))
    assert "gone: dropped, no config declares it" in project.doit("lock").output
    assert set(read(lock)["fixtures"]) == {"tiny"}


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"lock_version": 2, "fixtures": {}}', b"\xff", b'{"lock_version": 1}']
)
def test_a_lock_that_cannot_be_read_is_one_clear_error(
    project: Project, lock: Path, text: bytes
) -> None:
    lock.write_bytes(text)
    run = project.doit("lock", "--check")
    assert run.returncode == 1
    assert run.output.startswith("error[lock]: The lock cannot be read.\n")
