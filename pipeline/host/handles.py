"""Handles: small numbers that stand for what a guest may use, each given out once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from pipeline.host.abi import Errno, Refusal, refuse_argument

_Held = TypeVar("_Held")


class Handles(Generic[_Held]):
    """Values by handle: 0, 1, 2 …; a handle that was removed is never given out again."""

    def __init__(self, kind: str, most: int) -> None:
        self._kind = kind
        self._most = most
        self._next = 0
        self._values: dict[int, _Held] = {}

    def check_room(self) -> None:
        """Raise Refusal (errno 7) when no other value may be added."""
        if len(self._values) >= self._most:
            raise Refusal(
                Errno.TOO_LARGE,
                f"there are {self._most} {self._kind}s already, which is the most a guest may have",
            )

    def add(self, value: _Held) -> int:
        """Return the handle of a new value; raises Refusal (errno 7)."""
        self.check_room()
        handle = self._next
        self._next += 1
        self._values[handle] = value
        return handle

    def get(self, handle: int) -> _Held:
        """Return the value of a handle; raises Refusal (errno 1)."""
        try:
            return self._values[handle]
        except KeyError:
            raise self._unknown(handle) from None

    def remove(self, handle: int) -> _Held:
        """Forget a handle and return its value; raises Refusal (errno 1)."""
        try:
            return self._values.pop(handle)
        except KeyError:
            raise self._unknown(handle) from None

    def items(self) -> Iterator[tuple[int, _Held]]:
        """Return what there is, as it is now."""
        return iter(tuple(self._values.items()))

    def _unknown(self, handle: int) -> Refusal:
        known = ", ".join(map(str, sorted(self._values)[:8])) or "none"
        state = "was ended" if handle < self._next else "was never given out"
        return refuse_argument(f"{self._kind} {handle} {state}; the handles in use: {known}")
