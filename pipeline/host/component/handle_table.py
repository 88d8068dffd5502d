"""A component instance's table of handles: numbers from 1, used again after a drop."""

from __future__ import annotations

from pipeline.host.session.error import GuestTrap

# Of the canonical ABI.
_MOST = (1 << 28) - 1


class HandleTable:
    """Resources by handle, each with its type and its number in the host.

    >>> table = HandleTable()
    >>> table.add("tensor", 7), table.add("graph", 0), table.remove(1, "tensor")
    (1, 2, 7)
    >>> table.add("error", 3), len(table)
    (1, 2)
    """

    def __init__(self) -> None:
        self._entries: list[tuple[str, int] | None] = [None]
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._entries) - 1 - len(self._free)

    def add(self, resource: str, number: int) -> int:
        """Return the handle of a new entry; raises GuestTrap."""
        if self._free:
            handle = self._free.pop()
            self._entries[handle] = resource, number
            return handle
        if len(self._entries) > _MOST:
            raise GuestTrap("the table of handles is full")
        self._entries.append((resource, number))
        return len(self._entries) - 1

    def get(self, handle: int, resource: str) -> int:
        """Return the number of a handle; raises GuestTrap."""
        entry = self._entries[handle] if handle < len(self._entries) else None
        if entry is None:
            raise GuestTrap(f"unknown handle index {handle}")
        if entry[0] != resource:
            raise GuestTrap(
                f"handle index {handle} used with the wrong type, expected {resource} but found "
                f"{entry[0]}"
            )
        return entry[1]

    def remove(self, handle: int, resource: str) -> int:
        """Free a handle and return its number; raises GuestTrap."""
        number = self.get(handle, resource)
        self._entries[handle] = None
        self._free.append(handle)
        return number
