"""Looks at every call of a fuzzed guest: what was answered, and what was written where."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.host.abi.memory import Memory
from pipeline.host.abi.shortcuts import WitxFunction
from pipeline.host.abi.witx import Witx
from tests.host.fuzz.memory import NAMES, expected

_LOADS = {"load": 4, "load_by_name": 2, "load_by_name_with_config": 4}
_SUCCESS, _MISSING_MEMORY, _TOO_LARGE = 0, 3, 7


@dataclass
class _Context:
    graph: int
    inputs: dict[int, bytes] = field(default_factory=dict)
    computed: dict[int, bytes] | None = None


class Watch:
    """Stands between a guest and the functions; raises AssertionError for what must not be.

    It keeps its own account of handles, inputs and outputs, of what the errnos say alone.
    """

    def __init__(self, face: Witx) -> None:
        self._face = face
        self.answers: list[tuple[str, int]] = []
        self._graphs: dict[int, str] = {}
        self._contexts: dict[int, _Context] = {}
        self._given: dict[str, int] = {"graph": 0, "context": 0}

    def function(self, name: str) -> WitxFunction:
        """Return a function that answers as the face's does, once what it did is looked at."""
        real = self._face.function(name)
        return lambda memory, *values: self._call(name, real, memory, values)

    def _call(
        self, name: str, real: WitxFunction, memory: Memory | None, values: Sequence[int]
    ) -> int:
        assert memory is not None
        before = bytes(memory.data())
        errno = real(memory, *values)
        after = bytes(memory.data())
        self.answers.append((name, errno))
        assert 0 <= errno <= 8, f"{name} returned {errno}"
        assert errno != _MISSING_MEMORY, "there is a memory"
        self._check_written(name, errno, values, before, after)
        if errno == _SUCCESS:
            self._account(name, values, before, after)
        return errno

    def _check_written(
        self, name: str, errno: int, values: Sequence[int], before: bytes, after: bytes
    ) -> None:
        assert len(before) == len(after)
        places = []
        if name in _LOADS or name == "init_execution_context":
            places = [(values[-1], 4)] if errno == _SUCCESS else []
        elif name == "get_output" and errno in (_SUCCESS, _TOO_LARGE):
            places = [(values[4], 4)]
            written = _u32(after, values[4])
            if errno == _SUCCESS:
                assert written <= values[3], "more was written than the buffer has"
                places.append((values[2], written))
            else:
                assert written > values[3], "the buffer was not too small"
        allowed = bytearray(before)
        for at, size in places:
            assert at + size <= len(after), f"{name} was let write out of bounds"
            allowed[at : at + size] = after[at : at + size]
        assert allowed == after, f"{name} wrote where it was not told to"

    def _account(self, name: str, values: Sequence[int], before: bytes, after: bytes) -> None:
        if name in _LOADS:
            handle = self._next("graph", after, values[-1])
            at, size = values[:2]
            by_name = name != "load"
            self._graphs[handle] = before[at : at + size].decode() if by_name else ""
            assert not by_name or self._graphs[handle] in NAMES
        elif name == "init_execution_context":
            assert values[0] in self._graphs
            self._contexts[self._next("context", after, values[1])] = _Context(values[0])
        elif name == "unload":
            del self._graphs[values[0]]
            self._contexts = {
                handle: each for handle, each in self._contexts.items() if each.graph != values[0]
            }
        elif name == "finalize_execution_context":
            del self._contexts[values[0]]
        elif name == "set_input":
            context = self._contexts[values[0]]
            data, size = struct.unpack_from("<2I", before, values[2] + 12)
            context.inputs[values[1]] = before[data : data + size]
            context.computed = None
        elif name == "compute":
            context = self._contexts[values[0]]
            context.computed = dict(context.inputs)
        elif name == "get_output":
            self._check_output(values, after)
        else:
            raise AssertionError(f"{name} is not supported, and said that it worked")

    def _next(self, kind: str, after: bytes, at: int) -> int:
        handle = _u32(after, at)
        assert handle == self._given[kind], f"a {kind} got a handle that is not the next"
        self._given[kind] += 1
        return handle

    def _check_output(self, values: Sequence[int], after: bytes) -> None:
        context, index, buffer, _, out = values
        held = self._contexts[context]
        assert held.computed is not None, "an output was shown that nothing computed"
        name = self._graphs[held.graph]
        size = _u32(after, out)
        # The count may have been written over the bytes.
        if name and not (out < buffer + size and buffer < out + 4):
            made = expected(name, held.computed, index)
            assert after[buffer : buffer + size] == made, f"{name} made another output"


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
