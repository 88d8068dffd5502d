"""Several runs at once build each thing once, and none hangs for another."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.faults.twins import Twin, ended, twins, until


@pytest.mark.parametrize("count", [2, 4])
def test_runs_of_the_same_steps_build_each_once(tmp_path: Path, count: int) -> None:
    ours = twins(tmp_path, "many")[1]
    runs = [ours.start() for _ in range(count)]
    with ended(*runs):
        assert [run.wait(120) for run in runs] == [0] * count
    assert sorted(ours.ran()) == sorted(f"s{number}" for number in range(20))
    assert ours.doit().output.startswith("nothing to do")


@pytest.mark.parametrize("count", [2, 4])
def test_runs_of_different_steps_keep_what_each_has_done(tmp_path: Path, count: int) -> None:
    ours = twins(tmp_path, "many")[1]
    runs = [ours.start(f"ir:s{number}") for number in range(count)]
    with ended(*runs):
        assert [run.wait(120) for run in runs] == [0] * count
    assert ours.doit().steps("built") == {f"ir:s{number}" for number in range(count, 20)}
    assert len(ours.ran()) == 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_waits_for_another_can_be_ended(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    ours = twins(tmp_path, "waiting")[1]
    first = ours.start("ir:one")
    with ended(first):
        until(partial(runs, ours), "the first run's step")
        second = ours.start("ir:one")
        with ended(second):
            assert second.stdout is not None
            assert "waiting for another run" in second.stdout.readline()
            second.send_signal(number)
            assert second.wait(60) == code
        assert first.poll() is None
        (ours.root / "go").touch()
        assert first.wait(60) == 0


def test_an_input_that_changes_while_a_step_reads_it_is_told_and_poisons_nothing(
    tmp_path: Path,
) -> None:
    ours = twins(tmp_path, "waiting")[1]
    run = ours.start("ir:one")
    with ended(run):
        until(partial(runs, ours), "the step")
        ours.source.write_text("changed")
        (ours.root / "go").touch()
        assert run.stdout is not None
        output = run.stdout.read()
    assert "error[storage]: An input of ir:one changed while the step read it" in output
    assert run.wait(60) == 1
    ours.source.write_text("some text 0")
    assert ours.doit("ir:one").returncode == 0
    assert ours.text("one") == "SOME TEXT 0"


def runs(twin: Twin) -> bool:
    return twin.running() == ["one"]
