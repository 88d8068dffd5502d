"""A value that several threads share, and that the first of them to ask for it makes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """The result of ``make``, which is called once, whichever thread asks first.

    The others wait for it meanwhile. Should it raise, the next one tries again.
    ``functools.cached_property`` has had no lock since Python 3.12: two threads may each make one.

    >>> numbers = iter(range(9))
    >>> first = Once(lambda: next(numbers))
    >>> first.get(), first.get()
    (0, 0)
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._guard = threading.RLock()
        self._made: list[T] = []

    def get(self) -> T:
        """Return the value; raises what making it raises."""
        if not self._made:
            with self._guard:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    def made(self) -> T | None:
        """Return the value if there is one, after waiting for a thread that makes it."""
        with self._guard:
            return self._made[0] if self._made else None
