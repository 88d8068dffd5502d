"""Turns: a step waits for the worker that it chose, unless another has nothing to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from pipeline.execution.dask.placement import WorkerSlots


def test_steps_choose_the_worker_with_the_least_to_do_for_its_threads() -> None:
    turns = WorkerSlots(lambda: {"a": 1, "b": 2})
    chosen = [turns.choose() for _ in range(6)]
    assert sorted(map(str, chosen)) == ["a", "a", "b", "b", "b", "b"]


def test_a_step_waits_for_its_worker_and_takes_its_thread_when_that_is_free() -> None:
    turns = WorkerSlots(lambda: {"a": 1})
    with ThreadPoolExecutor(1) as threads, turns.taken(turns.choose()) as first:
        chosen = turns.choose()

        def second() -> str | None:
            with turns.taken(chosen) as turn:
                return turn.worker

        waiting = threads.submit(second)
        assert not waiting.done()
        assert first.worker == "a"
        first.end()
        assert waiting.result(timeout=20) == "a"


def test_a_step_goes_to_a_worker_that_has_nothing_to_do_and_nothing_to_wait_for() -> None:
    turns = WorkerSlots(lambda: {"a": 1, "b": 1})
    with ExitStack() as stack:
        first = stack.enter_context(turns.taken("a"))
        other = stack.enter_context(turns.taken(turns.choose()))
        assert (first.worker, other.worker) == ("a", "b")
        other.end()
        assert stack.enter_context(turns.taken("a")).worker == "b"


def test_a_turn_that_ended_twice_is_one_thread_again() -> None:
    turns = WorkerSlots(lambda: {"a": 1})
    with turns.taken(turns.choose()) as turn:
        turn.end()
        turn.end()
    with turns.taken(turns.choose()) as first:
        assert first.worker == "a"
        turns.close()
        with turns.taken(turns.choose()) as second:
            assert second.worker is None


def test_without_a_worker_nobody_waits() -> None:
    turns = WorkerSlots(dict)
    assert turns.choose() is None
    with turns.taken(None) as turn:
        assert turn.worker is None
