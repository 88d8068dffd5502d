"""The tensors that cross between a guest and its models, kept for who asked to see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.host.arrays import DTYPES

# What one kept tensor costs beside its bytes, so that many empty ones are bounded too.
_OVERHEAD = 512


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """A tensor that a guest gave (``input``) or got (``output``), in the order of its calls.

    ``context`` and ``index`` are the guest's, ``name`` is the model's. ``data`` is little-endian in
    C order, of as many elements as ``dims`` have.

    >>> crossed = Crossed(way="input", context=0, index=0, name="x", element="u8", dims=(1, 2),
    ...     data=bytes([3, 4]))
    >>> crossed.array().tolist()
    [[3, 4]]
    """

    way: Literal["input", "output"]
    context: int
    index: int
    name: str
    element: str
    dims: tuple[int, ...]
    data: bytes

    def array(self) -> Any:
        """Return it as a numpy array; raises KeyError for a type that wasi-nn has no number for."""
        import numpy

        return numpy.frombuffer(self.data, DTYPES[self.element]).reshape(self.dims)


class Border:
    """Keeps the first tensors, together of at most ``room`` bytes, and counts the others."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: list[Crossed] = []
        self.dropped = 0

    def crosses(
        self,
        way: Literal["input", "output"],
        place: tuple[int, int],
        name: str,
        kind: tuple[str, Sequence[int]],
        data: memoryview,
    ) -> None:
        """Keep a tensor where there is room; ``place`` is its context and index."""
        # The first that does not fit ends it, so that what is kept has no gaps.
        if self.dropped or len(data) + _OVERHEAD > self._room:
            self.dropped += 1
            return
        self._room -= len(data) + _OVERHEAD
        (context, index), (element, dims) = place, kind
        self._kept.append(
            Crossed(
                way=way,
                context=context,
                index=index,
                name=name,
                element=element,
                dims=tuple(dims),
                data=bytes(data),
            )
        )

    @property
    def kept(self) -> tuple[Crossed, ...]:
        """The tensors there was room for."""
        return tuple(self._kept)
