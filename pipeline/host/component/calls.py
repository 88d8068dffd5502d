"""The calls of components, whichever way they reach the host."""

from __future__ import annotations

import weakref

from pipeline.host.abi.wit import Wit
from pipeline.host.abi.wit_types import FUNCTIONS


class ComponentCalls:
    """The calls of a linker's components; ``succeeded`` counts the successful ones by function."""

    def __init__(self) -> None:
        self._faces: weakref.WeakSet[Wit] = weakref.WeakSet()
        self.succeeded: dict[str, int] = dict.fromkeys(FUNCTIONS, 0)

    def add(self, face: Wit) -> None:
        """Cancel and close another store's calls too."""
        self._faces.add(face)

    @property
    def held(self) -> int:
        """The number of resources of all components."""
        return sum(face.held for face in tuple(self._faces))

    def cancel(self) -> None:
        """Ask a running inference to stop; called from another thread."""
        for face in tuple(self._faces):
            face.cancel()

    def close(self) -> None:
        """Release the components' resources."""
        for face in tuple(self._faces):
            face.close()
