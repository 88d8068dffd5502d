"""A run controller brings steps up to date and emits events; others show, log and count them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.cache.action_records import Records
from pipeline.cache.digest import key_of
from pipeline.cache.history import History
from pipeline.doit_plugin.loader import StepTasks
from pipeline.doit_plugin.run_controller import RunController
from pipeline.errors import Code, PipelineError
from pipeline.report.console.protocol import Verbosity
from pipeline.report.console.run_display import RunDisplay
from pipeline.report.events import (
    Event,
    RunFinished,
    RunInterrupted,
    RunStarted,
    StepBlocked,
    StepCurrent,
    StepFailed,
    StepFinished,
    StepProgress,
    StepSkipped,
    StepStarted,
)
from pipeline.report.run_tally import RunTally
from tests.tiny import Project

ERROR = PipelineError(Code.MODEL, "No.", where="a.toml:1", hint="Yes.")


def controlled(project: Project, seen: list[Event]) -> tuple[StepTasks, RunController]:
    tasks = StepTasks(project.root)
    controller = tasks._run.get()
    controller.subscribe(seen.append)
    return tasks, controller


def test_a_step_is_keyed_once_before_and_once_after_and_nothing_is_read_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 37]")
    seen: list[Event] = []
    tasks, _ = controlled(project, seen)
    keys: list[str] = []
    reads: list[str] = []
    last_build, get = History.last_build, Records.get

    def counted(parts: Mapping[str, Any]) -> str:
        keys.append(key_of(parts))
        return keys[-1]

    def read(history: History, step: str) -> object:
        reads.append(step)
        return last_build(history, step)

    def looked_up(records: Records, key: str) -> object:
        reads.append(key)
        return get(records, key)

    monkeypatch.setattr("pipeline.execution.builder.key_of", counted)
    monkeypatch.setattr(History, "last_build", read)
    monkeypatch.setattr(Records, "get", looked_up)
    assert tasks._is_current("ir:tiny") is False
    assert tasks._execute("ir:tiny") == {"outcome": "built"}
    started, *_, finished = seen
    assert isinstance(started, StepStarted)
    assert isinstance(finished, StepFinished)
    assert keys == [finished.key] * 2
    # By the check, for the reasons, and once the lock is held.
    assert reads == [finished.key, "ir:tiny", finished.key]
    tasks.close()


def test_a_failure_is_emitted_once_and_ends_the_run_with_1(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    (project.root / "red.png").unlink()
    seen: list[Event] = []
    _, controller = controlled(project, seen)
    controller.start(3, ())
    failed = controller.run("source:tiny.red", force=False)
    controller.failed("source:tiny.red", "what doit makes of it")
    controller.blocked("tensor:tiny.red", "source:tiny.red")
    controller.current("source:tiny.blue")
    assert controller.finish(None) == 1
    assert [type(event) for event in seen] == [
        RunStarted,
        StepStarted,
        StepFailed,
        StepBlocked,
        StepCurrent,
        RunFinished,
    ]
    error = seen[2]
    assert isinstance(error, StepFailed)
    assert error.render().startswith("error[storage]: An input of source:tiny.red cannot be read.")
    assert "configs/fixtures/tiny.toml:" in error.where
    assert error.render() in failed.get_msg()  # type: ignore[union-attr] # doit's TaskFailed
    end = seen[-1]
    assert isinstance(end, RunFinished)
    assert (end.failed, end.blocked, end.current, end.ran) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("cause", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143), (None, 0)]
)
def test_the_exit_code_is_that_of_the_signal(
    project: Project, monkeypatch: pytest.MonkeyPatch, cause: BaseException | None, code: int
) -> None:
    monkeypatch.chdir(project.root)
    seen: list[Event] = []
    _, controller = controlled(project, seen)
    controller.start(1, ())
    assert controller.finish(cause) == code
    interrupted = [type(event) for event in seen].count(RunInterrupted)
    assert interrupted == (1 if code else 0)
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].interrupted is bool(code)


def shown(*events: Event, verbosity: Verbosity = Verbosity.NORMAL) -> list[str]:
    stream = io.StringIO()
    display, tally = RunDisplay(stream, verbosity, lambda names: []), RunTally()
    for event in events:
        tally(event)
        display(event)
    display(tally.finished())
    return stream.getvalue().splitlines()


def started(count: int) -> RunStarted:
    return RunStarted(version=1, arguments=[], steps=count, pipeline="", python="", process=1)


def finished(step: str) -> StepFinished:
    return StepFinished(step=step, outcome="built", seconds=1, key="", outputs={})


def test_a_run_with_nothing_to_do_is_one_line_and_none_if_quiet() -> None:
    current = StepCurrent(step="ir:x"), StepCurrent(step="tensor:x.a")
    assert shown(started(2), *current) == ["nothing to do: 2 steps are up to date"]
    assert shown(started(2), *current, verbosity=Verbosity.QUIET) == []
    assert shown(started(2), *current, verbosity=Verbosity.VERBOSE)[:1] == [
        "[  1/  2] ir:x is up to date"
    ]


def test_what_failed_was_skipped_and_did_not_run_is_shown() -> None:
    lines = shown(
        started(5),
        StepStarted(step="ir:x"),
        StepProgress(step="ir:x", text="half"),
        StepCurrent(step="source:x.a"),
        StepFailed.of("ir:x", ERROR),
        StepStarted(step="guest:r"),
        StepSkipped.of("guest:r", ERROR),
        StepStarted(step="tensor:x.a"),
        finished("tensor:x.a"),
        StepBlocked(step="verify:x.a", reason="ir:x"),
    )
    error = ERROR.render().splitlines()
    assert lines == [
        "[  2/  5] ir:x FAILED",
        *error,
        "[  3/  5] guest:r SKIPPED",
        *error,
        "[  4/  5] tensor:x.a built in 0.0 s",
        f"FAILED ir:x: {error[0]}",
        "not run verify:x.a: needs ir:x",
        f"skipped guest:r: {error[0]}",
        "0 cases verified, 1 failed, 1 not run, 1 skipped",
    ]


def test_after_an_interrupt_no_step_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    display = RunDisplay(stream, Verbosity.NORMAL, lambda names: [])
    for event in (started(1), StepStarted(step="ir:x"), RunInterrupted()):
        display(event)
    display(StepFailed.of("ir:x", ERROR))
    display(RunTally().finished(130))
    assert stream.getvalue() == ""
    assert capsys.readouterr().err.startswith("interrupted; finished steps are kept")


def test_a_dodo_of_version_0_1_still_works_and_says_how_to_replace_it(project: Project) -> None:
    dodo = project.root / "dodo.py"
    statement = dodo.read_text().splitlines()[-1]
    kinds = ("toolchain", "source", "ir", "tensor", "guest", "fixture", "verify", "manifest")
    dodo.write_text(
        "from pathlib import Path\nfrom pipeline.doit_plugin import Engine\n"
        "engine = Engine(Path(__file__).resolve().parent)\nDOIT_CONFIG = engine.settings()\n"
        + "".join(f"def task_{kind}():\n    yield from engine.tasks({kind!r})\n" for kind in kinds)
    )
    run = project.doit()
    assert run.returncode == 0
    assert "nothing to do: 11 steps are up to date" in run.output
    assert "warning: dodo.py has the form of version 0.1" in run.output
    assert statement in run.output


def test_a_dodo_of_others_has_no_commands_of_ours(tmp_path: Path) -> None:
    (tmp_path / "dodo.py").write_text("def task_a():\n    return {'actions': []}\n")
    theirs = Project(tmp_path)
    assert theirs.doit().returncode == 0
    run = theirs.doit("plan")
    assert run.returncode == 1
    assert run.output.startswith("error[usage]: `doit plan` needs the steps of this pipeline.")
