"""Record the tensors passed between a guest and its models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.host.arrays import DTYPES

# Estimated overhead of one recorded tensor, which also bounds the number of empty ones.
_OVERHEAD = 512


@dataclass(frozen=True, kw_only=True)
class RecordedTensor:
    """A recorded tensor that a guest set (``input``) or got (``output``), in call order.

    ``context`` and ``index`` are the guest's, ``name`` is the model's. ``data`` is little-endian in
    C order, with as many elements as ``dims`` specifies.

    >>> crossed = RecordedTensor(direction="input", context=0, index=0, name="x", element="u8",
    ...     dims=(1, 2),
    ...     data=bytes([3, 4]))
    >>> crossed.array().tolist()
    [[3, 4]]
    """

    direction: Literal["input", "output"]
    context: int
    index: int
    name: str
    element: str
    dims: tuple[int, ...]
    data: bytes

    def array(self) -> Any:
        """Return a NumPy array; raises KeyError for a type that wasi-nn does not have."""
        import numpy

        return numpy.frombuffer(self.data, DTYPES[self.element]).reshape(self.dims)


class TensorRecorder:
    """Records the first tensors, up to ``room`` bytes in total, and counts the others."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: list[RecordedTensor] = []
        self.dropped = 0

    def record(
        self,
        direction: Literal["input", "output"],
        place: tuple[int, int],
        name: str,
        kind: tuple[str, Sequence[int]],
        data: memoryview,
    ) -> None:
        """Record a tensor if there is room; ``place`` is its context and index."""
        # The first that does not fit stops recording, so that the record has no gaps.
        if self.dropped or len(data) + _OVERHEAD > self._room:
            self.dropped += 1
            return
        self._room -= len(data) + _OVERHEAD
        (context, index), (element, dims) = place, kind
        self._kept.append(
            RecordedTensor(
                direction=direction,
                context=context,
                index=index,
                name=name,
                element=element,
                dims=tuple(dims),
                data=bytes(data),
            )
        )

    @property
    def kept(self) -> tuple[RecordedTensor, ...]:
        """The recorded tensors."""
        return tuple(self._kept)
