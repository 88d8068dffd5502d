"""What threads share is made once, on every Python."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.execution.once import Once

THREADS = 8


def test_many_threads_get_the_one_value() -> None:
    made: list[object] = []
    ready = threading.Barrier(THREADS)

    def make() -> object:
        time.sleep(0.05)  # Long enough for the others to come.
        made.append(object())
        return made[-1]

    once = Once(make)
    assert once.made() is None

    def ask(_: int) -> object:
        ready.wait()
        return once.get()

    with ThreadPoolExecutor(THREADS) as threads:
        found = set(threads.map(ask, range(THREADS)))
    assert found == {once.made()} == set(made)


def test_what_fails_is_tried_again() -> None:
    answers = iter([0, 1])

    def make() -> int:
        if (answer := next(answers)) == 0:
            raise OSError("not yet")
        return answer

    once = Once[int](make)
    with pytest.raises(OSError, match="not yet"):
        once.get()
    assert once.made() is None
    assert once.get() == 1
