"""The eight faults of doit 0.37: each shown on plain doit, and cured here."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.faults.twins import Twin, ended, twins, until
from tests.processes import running


def settled(twin: Twin, *arguments: str) -> None:
    """Build all, and forget what ran and was read."""
    run = twin.doit(*arguments)
    assert run.returncode == 0, run.output
    twin.ran()
    twin.read("")


@pytest.mark.parametrize("damage", ["", "SOME TEXT 1"], ids=["truncated", "edited"])
def test_1_a_damaged_target_is_restored__plain_doit_does_not_notice(
    tmp_path: Path, damage: str
) -> None:
    plain, ours = twins(tmp_path, "chain")
    for twin in (plain, ours):
        settled(twin)
        twin.made("third").write_text(damage)
        assert twin.doit().returncode == 0
    assert plain.text("third") == damage
    assert ours.text("third") == "SOME TEXT 0"
    assert ours.ran() == []


def test_1_a_corrupt_intermediate_is_restored__plain_doit_takes_it_for_an_input(
    tmp_path: Path,
) -> None:
    plain, ours = twins(tmp_path, "chain")
    for twin in (plain, ours):
        settled(twin)
        twin.made("first").write_text("corrupt")
        assert twin.doit().returncode == 0
    assert plain.text("third") == "CORRUPT"
    assert ours.text("third") == "SOME TEXT 0"
    assert ours.ran() == []


@pytest.mark.parametrize("text", ["some TEXT 9", "of another size"])
def test_2_an_input_of_the_same_mtime_is_read__plain_doit_does_not_look(
    tmp_path: Path, text: str
) -> None:
    plain, ours = twins(tmp_path, "stumbling")
    for twin in (plain, ours):
        settled(twin)
        times = twin.source.stat()
        twin.source.write_text(text)
        os.utime(twin.source, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert twin.doit().returncode == 0
    assert plain.text("only") == "SOME TEXT 0"
    assert ours.text("only") == text.upper()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_3_what_was_finished_before_a_kill_is_kept__plain_doit_runs_it_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    plain, ours = twins(tmp_path, "chain")
    for twin in (plain, ours):
        (twin.root / "perish").write_text(str(int(number)))
        assert twin.doit().returncode in (-number, 128 + number)
        assert twin.ran() == ["first", "second", "third"]
        assert twin.doit().returncode == 0
        assert twin.text("third") == "SOME TEXT 0"
    assert plain.ran() == ["first", "second", "third"]
    assert ours.ran() == ["third"]


def test_4_a_kill_amid_writing_leaves_no_half_file__plain_doit_accepts_it_after_a_revert(
    tmp_path: Path,
) -> None:
    plain, ours = twins(tmp_path, "perishing")
    for twin in (plain, ours):
        settled(twin)
        twin.source.write_text("edited")
        (twin.root / "perish").write_text(str(int(signal.SIGKILL)))
        assert twin.doit().returncode == -signal.SIGKILL
        twin.source.write_text("some text 0")
        assert twin.doit().returncode == 0
    assert plain.text("only") == "HALF"
    assert ours.text("only") == "SOME TEXT 0"
    assert list((ours.root / "artifacts/.cache/tmp").iterdir()) == []


def test_5_a_failed_step_leaves_nothing__plain_doit_leaves_what_it_had_written(
    tmp_path: Path,
) -> None:
    plain, ours = twins(tmp_path, "stumbling")
    for twin in (plain, ours):
        twin.source.write_text("fail")
        assert twin.doit().returncode in (1, 2)
    assert plain.text("only") == "HALF"
    assert ours.text("only") == "none"


def test_6_two_runs_build_a_step_once__plain_doit_builds_it_twice(tmp_path: Path) -> None:
    plain, ours = twins(tmp_path, "waiting")
    for twin in (plain, ours):
        first = twin.start("ir:one")
        with ended(first):
            until(partial(runs, twin, "one"), "the first run's step")
            second = twin.start("ir:one")
            with ended(second):
                if twin is ours:
                    assert second.stdout is not None
                    # It says so all the time; of that, a line is shown after some seconds.
                    said = second.stdout.readline()
                    assert "ir:one: waiting for another run that builds this step" in said
                else:
                    until(partial(runs, twin, "one", "one"), "the second run's step")
                (twin.root / "go").touch()
                assert [first.wait(60), second.wait(60)] == [0, 0]
    assert plain.ran() == ["one", "one"]
    assert ours.ran() == ["one"]


def test_6_two_runs_keep_each_others_records__plain_doit_loses_one_sides(tmp_path: Path) -> None:
    plain, ours = twins(tmp_path, "waiting")
    for twin in (plain, ours):
        first, second = twin.start("ir:one"), twin.start("ir:two")
        with ended(first, second):
            until(partial(runs, twin, "one", "two"), "both steps")
            (twin.root / "go").touch()
            assert [first.wait(60), second.wait(60)] == [0, 0]
        twin.ran()
    # Two that write one file at a time may also leave it unreadable.
    again = plain.doit()
    assert "state.json" in again.output if again.returncode else len(plain.ran()) == 1
    assert ours.doit().returncode == 0
    assert ours.ran() == []


def runs(twin: Twin, *steps: str) -> bool:
    return twin.running() == list(steps)


def test_7_a_worker_that_dies_fails_its_step_alone__plain_doit_hangs(tmp_path: Path) -> None:
    plain, ours = twins(tmp_path, "crashing")
    process = plain.start("-n", "2", "-P", "process")
    with ended(process), pytest.raises(subprocess.TimeoutExpired):
        process.wait(8)
    run = ours.doit("-n", "4")
    assert run.returncode == 1
    assert "killed by SIGKILL" in run.output
    assert run.steps("built") == {"ir:a", "ir:b", "ir:c"}
    assert run.steps("FAILED") == {"ir:bad"}


def test_7_a_crash_does_not_take_doit_along__plain_doit_dies_of_it(tmp_path: Path) -> None:
    plain, ours = twins(tmp_path, "crashing")
    assert plain.doit().returncode == -signal.SIGKILL
    assert ours.doit("-n", "1").returncode == 1


def test_7_a_killed_run_leaves_no_orphans__plain_doit_does(tmp_path: Path) -> None:
    plain, ours = twins(tmp_path, "hanging")
    left = {}
    for twin, arguments in ((plain, ["-n", "2", "-P", "process"]), (ours, ["-n", "2"])):
        process = twin.start(*arguments)
        with ended(process):
            until(partial(hang, twin), "two that hang")
            process.kill()
            process.wait(60)
            if twin is ours:
                until(lambda: not any(running(pid) for pid in hanging(ours)), "their end")
            left[twin.root.name] = sum(running(pid) for pid in hanging(twin))
    assert left == {"plain": 2, "ours": 0}


def hang(twin: Twin) -> bool:
    return len(hanging(twin)) == 2


def hanging(twin: Twin) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in twin.root.glob("hangs-*")]


def test_8_a_touched_input_is_read_once__plain_doit_reads_it_for_each_task_on_each_run(
    tmp_path: Path,
) -> None:
    plain, ours = twins(tmp_path, "many")
    counts = {}
    for twin in (plain, ours):
        settled(twin)
        os.utime(twin.source)
        reads = []
        for _ in range(2):
            assert twin.doit().returncode == 0
            reads.append(twin.read("in.txt"))
        counts[twin.root.name] = reads
        assert twin.ran() == []
    assert counts == {"plain": [20, 20], "ours": [1, 0]}
