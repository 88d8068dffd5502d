"""Every run leaves an event log that a program can read."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipeline.cache.digest import Digest
from pipeline.report.events import (
    Event,
    EventLog,
    RunFinished,
    RunStarted,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepStarted,
    read_events,
)
from tests.cache.servers import free_port
from tests.doit_plugin.test_interrupts import LOOP, start
from tests.tiny import Project


def logs(project: Project) -> list[Path]:
    return sorted((project.root / "artifacts/.steps/events").glob("*.ndjson"))


def last(project: Project) -> list[Event]:
    return list(read_events(logs(project)[-1]))


def test_a_run_with_nothing_to_do_is_told_too(project: Project) -> None:
    before = len(logs(project))
    project.doit()
    assert len(logs(project)) == before + 1
    started, finished = last(project)
    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert (started.steps, finished.current, finished.exit_code) == (11, 11, 0)


def test_what_was_built_has_its_key_and_digests(project: Project) -> None:
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 37]")
    project.doit()
    events = last(project)
    finished = {event.step: event for event in events if isinstance(event, StepFinished)}
    begun = {event.step for event in events if isinstance(event, StepStarted)}
    assert begun == set(finished)
    ir = finished["ir:tiny"]
    begun_ir = next(e for e in events if isinstance(e, StepStarted) and e.step == "ir:tiny")
    assert begun_ir.thread >= 1
    assert begun_ir.reasons == (
        "parameter model.inputs.x.mean: [10.0, 20.0, 30.0] → [10.0, 20.0, 37.0]",
    )
    assert isinstance(events[-1], RunFinished)
    assert "source:tiny.model" in events[-1].untouched
    assert not begun & set(events[-1].untouched)
    assert ir.outcome == "built"
    assert ir.outputs["xml"] == Digest.of_file(project.folder / "tiny.xml").sha256
    assert len(ir.key) == 64


def test_a_failure_is_told_with_all_its_fields(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    project.doit()
    events = last(project)
    (failed,) = (event for event in events if isinstance(event, StepFailed))
    assert (failed.step, failed.code, failed.expected) == ("verify:tiny.red", "verify", "1")
    assert "configs/fixtures/tiny.toml:" in failed.where
    (blocked,) = (event for event in events if isinstance(event, StepBlocked))
    assert blocked.step == "manifest:tiny"
    assert isinstance(events[-1], RunFinished)
    assert (events[-1].exit_code, events[-1].failed) == (1, 1)


def test_a_killed_run_leaves_whole_lines(project: Project) -> None:
    (project.root / "guests/classify/classify.c").write_text(LOOP)
    process = start(project)
    process.kill()
    process.wait(30)
    events = last(project)
    assert isinstance(events[0], RunStarted)
    assert not any(isinstance(event, RunFinished) for event in events)


def test_no_secret_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_TOKEN", "a-token-of-ours")
    monkeypatch.setenv("CACHE_SECRET", "a-secret-of-ours")
    server = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("WASI_NN_HOSTS", f"CACHE_TOKEN={server} CACHE_SECRET={server}")
    settings = project.root / "configs/project.toml"
    settings.write_text(
        f'{settings.read_text()}[remote]\nurl = "{server}"\nwrite = true\n'
        'token_env = "CACHE_TOKEN"\nsecret_env = "CACHE_SECRET"\n'
    )
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 37]")
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    run = project.doit()
    assert "the remote cache http://127.0.0.1" in run.output
    assert any(isinstance(event, StepFailed) for event in last(project))
    told = {path: path.read_bytes() for path in (project.root / "artifacts").rglob("*.*json")}
    assert logs(project)[-1] in told
    assert [path for path, data in told.items() if b"-of-ours" in data] == []


def test_an_interrupted_run_says_so(project: Project) -> None:
    (project.root / "guests/classify/classify.c").write_text(LOOP)
    process = start(project)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    finished = last(project)[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.interrupted, finished.exit_code) == (True, 143)


def test_the_last_runs_are_kept_and_no_more(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"20200101T0000{number:02}.000000-1.ndjson").touch()
    log = EventLog(tmp_path)
    log.write(StepStarted(step="ir:net"))
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 50
    assert names[0] == "20200101T000011.000000-1.ndjson"


def test_a_cut_line_is_skipped(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.write(StepStarted(step="ir:net"))
    log.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + b'{"event":"step-fin')
    assert [type(event) for event in read_events(path)] == [StepStarted]


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"step-started","step":"ir:net","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"event":"step-started","step":"ir:net","time":1e300}',
        b'{"event":"step-started","step":"ir:net","time":-1e15}',
    ],
)
def test_a_line_that_no_run_can_have_written_is_skipped(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "log").write_bytes(line + b"\n")
    assert list(read_events(tmp_path / "log")) == []


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file")
    log = EventLog(tmp_path / "events")
    for _ in range(2):
        log.write(StepStarted(step="ir:net"))
    log.close()
