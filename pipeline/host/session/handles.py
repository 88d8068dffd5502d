"""Handles: numbers that identify a guest's graphs and contexts, never reused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from pipeline.host.session.error import Cause, WasiNnError, refuse_argument

_Held = TypeVar("_Held")


class Handles(Generic[_Held]):
    """Values by handle: 0, 1, 2 …; handles are not reused after removal."""

    def __init__(self, kind: str, most: int) -> None:
        self._kind = kind
        self._most = most
        self._next = 0
        # To be read by whoever cannot afford a call; ``get`` and the others change it.
        self.by_handle: dict[int, _Held] = {}

    def check_room(self) -> None:
        """Raise WasiNnError (too large) if no more values may be added."""
        if len(self.by_handle) >= self._most:
            raise WasiNnError(
                Cause.TOO_LARGE,
                f"the guest has reached the limit of {self._most} {self._kind}s",
            )

    def add(self, value: _Held) -> int:
        """Add a value and return its handle; raises WasiNnError (too large)."""
        self.check_room()
        handle = self._next
        self._next += 1
        self.by_handle[handle] = value
        return handle

    def get(self, handle: int) -> _Held:
        """Return the value of a handle; raises WasiNnError (invalid argument)."""
        try:
            return self.by_handle[handle]
        except KeyError:
            raise self._unknown(handle) from None

    def remove(self, handle: int) -> _Held:
        """Remove a handle and return its value; raises WasiNnError (invalid argument)."""
        try:
            return self.by_handle.pop(handle)
        except KeyError:
            raise self._unknown(handle) from None

    def items(self) -> Iterator[tuple[int, _Held]]:
        """Return a snapshot of handles and values."""
        return iter(tuple(self.by_handle.items()))

    def _unknown(self, handle: int) -> WasiNnError:
        known = ", ".join(map(str, sorted(self.by_handle)[:8])) or "none"
        state = "was released" if handle < self._next else "does not exist"
        return refuse_argument(f"{self._kind} {handle} {state}; handles in use: {known}")
