"""A run with nothing to do is remembered, and no change goes unseen for it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.doit_plugin import noop_snapshot
from tests.tiny import Project


@pytest.fixture
def settled(project: Project) -> Project:
    """Return the project after runs that found nothing to do, the last of which was brief."""
    for _ in range(2):
        run = project.doit()
        assert run.output.startswith("nothing to do")
    assert memory(project).exists()
    return project


def memory(project: Project) -> Path:
    place = noop_snapshot.snapshot_path(project.root)
    assert place is not None
    return place


def test_what_is_remembered_is_used(settled: Project) -> None:
    place = memory(settled)
    stamp = noop_snapshot.project_stamp(settled.root)
    recalled = noop_snapshot.load_snapshot(settled.root, place, stamp)
    assert recalled is not None
    assert all(step.current for step in recalled.steps)
    before = settled.doit().output
    place.unlink()
    assert settled.doit().output == before


def test_what_is_remembered_needs_neither_the_configs_nor_a_recipe(
    settled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them is most of what a run with nothing to do would take."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    for arguments in ([], ["list"]):
        imported = imports(settled, *arguments)
        assert "pipeline.doit_plugin.loader" in imported
        assert not imported & {
            "pipeline.config.load_project",
            "pipeline.graph.all_steps",
            "openvino",
        }


def imports(project: Project, *arguments: str) -> set[str]:
    run = project.doit(*arguments)
    return {line.rpartition("|")[2].strip() for line in run.output.splitlines()}


@pytest.mark.parametrize("state", ["current", "failed", "partly built", "not built"])
def test_a_list_reads_no_config_whatever_is_built(
    settled: Project, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if state == "failed":
        settled.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
        assert settled.doit().returncode == 1
    elif state == "partly built":
        (settled.folder / "tiny.bin").unlink()
        settled.doit("clean", "verify:tiny.red")
    elif state == "not built":
        shutil.rmtree(settled.root / "artifacts")
        # There is nothing yet that this one could have from an earlier one.
        assert settled.doit("list", "--all").returncode == 0
    listed = settled.doit("list", "--all").output
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    imported = imports(settled, "list")
    assert "pipeline.doit_plugin.loader" in imported
    assert not imported & {
        "pipeline.config.load_project",
        "pipeline.graph.all_steps",
        "msgspec",
        "sqlite3",
    }
    monkeypatch.delenv("PYTHONPROFILEIMPORTTIME")
    memory(settled).unlink()
    assert settled.doit("list", "--all").output == listed


def test_a_target_edited_with_the_same_size_and_time_is_restored(settled: Project) -> None:
    xml = settled.folder / "tiny.xml"
    before, times = xml.read_bytes(), xml.stat()
    xml.write_bytes(before.swapcase())
    os.utime(xml, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "ir:tiny" in settled.doit().steps("restored")
    assert xml.read_bytes() == before


def test_an_edited_config_is_read(settled: Project) -> None:
    settled.edit("mean = [10, 20, 30]", "mean = [10, 20, 31]")
    assert "ir:tiny" in settled.doit().steps("built")


def test_a_broken_config_is_told(settled: Project) -> None:
    settled.edit('precision = "f32"', 'precision = "f33"')
    run = settled.doit()
    assert run.returncode == 1
    assert "configs/fixtures/tiny.toml:" in run.output


def test_a_new_fixture_is_built(settled: Project) -> None:
    other = settled.config.with_name("other.toml")
    other.write_text(settled.config.read_text())
    assert "manifest:other" in settled.doit().steps("built")


def test_a_deleted_source_is_an_error(settled: Project) -> None:
    (settled.root / "red.png").unlink()
    run = settled.doit()
    assert run.returncode == 1
    assert "red.png" in run.output


def test_always_runs_every_step(settled: Project) -> None:
    run = settled.doit("-a", "tensor:tiny.red")
    assert "tensor:tiny.red" in run.steps("built")


def test_a_forgotten_step_is_run_again(settled: Project) -> None:
    assert settled.doit("forget", "tensor:tiny.red").returncode == 0
    assert settled.doit().steps("built") == {"tensor:tiny.red"}


def test_cleaned_targets_come_back(settled: Project) -> None:
    assert settled.doit("clean", "tensor:tiny.red").returncode == 0
    run = settled.doit()
    assert "tensor:tiny.red" in run.steps("restored")


def change(place: Path, **fields: Any) -> bytes:
    return json.dumps({**json.loads(place.read_bytes()), **fields}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"\xff garbage",
        b"[]",
        b"{}",
        b"[" * 100_000,
        {"steps": [["ir", "a", "a", "b", [], [], "yes"]]},
        {"steps": [["ir", "a", "a", "b", [7], [], True]]},
        {"steps": [["no kind", "a", "a", "b", [], [], True]]},
        {"steps": [7]},
        {"steps": 7},
        {"default": "tiny"},
        {"files": {"\0": "1"}},
        {"files": []},
        {"around": [{"\0": "1"}, {}, []]},
        {"around": [{}, {"os.path": True}, []]},
        {"around": [{}, {}, ["\ud800"]]},
        {"around": 7},
        {"more": 1},
    ],
    ids=str,
)
def test_what_has_another_shape_is_no_memory(settled: Project, content: Any) -> None:
    place = memory(settled)
    place.write_bytes(content if isinstance(content, bytes) else change(place, **content))
    found = noop_snapshot.load_snapshot(
        settled.root, place, noop_snapshot.project_stamp(settled.root)
    )
    assert found is None or not any(step.current for step in found.steps)


def test_what_cannot_be_read_is_no_memory(settled: Project) -> None:
    memory(settled).write_bytes(b"\xff garbage")
    assert settled.doit().output.startswith("nothing to do")


def test_a_config_that_was_just_written_is_not_vouched_for(settled: Project) -> None:
    assert noop_snapshot.project_stamp(settled.root)
    # A time to come is as near as any that a clock tells while the test is delayed.
    later = time.time() + 3600
    os.utime(settled.config, (later, later))
    assert noop_snapshot.project_stamp(settled.root) == ""


def recalled(project: Project) -> noop_snapshot.Snapshot | None:
    return noop_snapshot.load_snapshot(
        project.root, memory(project), noop_snapshot.project_stamp(project.root)
    )


def test_another_tool_version_is_noticed(settled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recalled(settled)
    monkeypatch.setattr(noop_snapshot, "tool_version", lambda tool: "0")
    after = recalled(settled)
    assert before is not None
    assert after is not None
    assert after.steps == [step._replace(current=False) for step in before.steps]


def test_a_package_that_was_installed_is_noticed(
    settled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch beside us takes the place of its toolchain, which is then no step."""
    assert recalled(settled) is not None
    there = noop_snapshot._installed
    monkeypatch.setattr(noop_snapshot, "_installed", lambda name: not there(name))
    assert recalled(settled) is None


def test_a_guest_source_that_is_gone_is_told(settled: Project) -> None:
    (settled.root / "guests/classify/classify.c").unlink()
    run = settled.doit("list")
    assert run.returncode == 1
    assert "classify.toml:" in run.output


def test_a_variable_that_the_remote_cache_needs_is_missed(
    settled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settled.root / "configs/project.toml"
    remote = "[remote]\nurl = 'http://127.0.0.1:9/'\ntoken_env = 'TINY_TOKEN'\n"
    settings.write_text(settings.read_text() + remote)
    # No snapshot is saved within a clock tick of the change.
    while not noop_snapshot.project_stamp(settled.root):
        time.sleep(0.01)
    monkeypatch.setenv("TINY_TOKEN", "secret")
    monkeypatch.setenv("WASI_NN_HOSTS", "TINY_TOKEN=http://127.0.0.1:9")
    assert settled.doit("list").returncode == 0
    assert recalled(settled) is not None
    assert settled.doit("list").returncode == 0
    monkeypatch.delenv("TINY_TOKEN")
    run = settled.doit("list")
    assert run.returncode == 1
    assert "The environment variable TINY_TOKEN is not set" in run.output


def test_changed_code_of_the_pipeline_is_noticed(
    settled: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "step.py").write_text("one")
    monkeypatch.setattr(noop_snapshot, "PACKAGE", code)
    monkeypatch.setattr(noop_snapshot, "TICK_NS", -(10**18))
    before = noop_snapshot.project_stamp(settled.root)
    (code / "step.py").write_text("two")
    assert noop_snapshot.project_stamp(settled.root) not in ("", before)
