"""What a run did, read from its events, whole or cut off."""

from __future__ import annotations

from pathlib import Path

from pipeline.report.events import (
    Event,
    EventLog,
    RunFinished,
    RunStarted,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from pipeline.report.html.run_log import last_run, run_of


def started(time: float = 100.0) -> RunStarted:
    return RunStarted(
        version=1, arguments=["ir"], steps=3, pipeline="0.1.0", python="3.13", process=1, time=time
    )


def finished(**more: object) -> RunFinished:
    known = {"exit_code": 0, "interrupted": False, "seconds": 9.0, "current": 0}
    return RunFinished(**{**known, "ran": 1, "failed": 0, "blocked": 0, **more})  # type: ignore[arg-type]


def begun(step: str, time: float, thread: int = 1) -> StepStarted:
    return StepStarted(step=step, thread=thread, reasons=("target x is missing",), time=time)


def ended(step: str, time: float, outcome: str = "built") -> StepFinished:
    return StepFinished(step=step, outcome=outcome, seconds=0.5, key="", outputs={}, time=time)


def test_a_step_has_its_start_its_wall_time_its_thread_and_why() -> None:
    run = run_of([started(), begun("ir:a", 101, 3), ended("ir:a", 104, "restored"), finished()])
    assert run is not None
    (step,) = run.steps
    assert (step.name, step.outcome, step.start, step.seconds) == ("ir:a", "restored", 1.0, 3.0)
    assert (step.thread, step.reasons) == (3, ("target x is missing",))
    assert (run.exit_code, run.seconds, run.arguments) == (0, 9.0, ("ir",))


def test_what_failed_what_was_blocked_and_what_was_left_out_are_told_apart() -> None:
    run = run_of(
        [
            started(),
            begun("ir:a", 101),
            StepFailed(step="ir:a", code="model", message="No.", time=102),
            StepBlocked(step="verify:a.x", reason="ir:a", time=102),
            begun("guest:rust", 103),
            StepSkipped(step="guest:rust", code="toolchain", message="No Rust here.", time=104),
            finished(exit_code=1, failed=1, blocked=1),
        ]
    )
    assert run is not None
    assert [(step.name, step.outcome) for step in run.steps] == [
        ("ir:a", "failed"),
        ("guest:rust", "skipped"),
    ]
    assert [(each.step, each.message) for each in run.failures] == [("ir:a", "No.")]
    assert [each.step for each in run.blocked] == ["verify:a.x"]
    assert [each.step for each in run.skipped] == ["guest:rust"]


def test_a_run_that_was_killed_has_steps_that_were_cut_off() -> None:
    run = run_of([started(), begun("ir:a", 101), begun("ir:b", 102), ended("ir:b", 105)])
    assert run is not None
    assert run.exit_code is None
    assert [(step.name, step.outcome, step.seconds) for step in run.steps] == [
        ("ir:a", "cut off", 4.0),
        ("ir:b", "built", 3.0),
    ]
    assert run_of([begun("ir:a", 101)]) is None


def test_steps_of_a_log_without_threads_never_overlap_in_one() -> None:
    spans = [("a", 101, 105), ("b", 102, 103), ("c", 104, 106), ("d", 105.5, 107)]
    events: list[Event] = [started()]
    for name, start, end in spans:
        events += [begun(name, start, thread=0), ended(name, end)]
    run = run_of(events)
    assert run is not None
    assert [step.thread for step in run.steps] == [1, 2, 2, 1]


def test_later_runs_with_nothing_to_do_are_counted_and_passed_over(tmp_path: Path) -> None:
    built: list[Event] = [begun("ir:a", 101), ended("ir:a", 102)]
    for number, more in enumerate([built, [], []]):
        log = EventLog(tmp_path)
        for event in (started(), *more, finished(ran=len(more) // 2)):
            log.write(event)
        log.close()
        (newest,) = set(tmp_path.glob("*.ndjson")) - set(tmp_path.glob("run-*"))
        newest.rename(tmp_path / f"run-{number}.ndjson")
    (tmp_path / "run-3.ndjson").write_bytes(b"\x00 no event\n{")
    run = last_run(tmp_path)
    assert run is not None
    assert [step.name for step in run.steps] == ["ir:a"]
    assert run.idle == 2
    assert last_run(tmp_path / "nowhere") is None
