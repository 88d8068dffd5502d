"""The component model's canonical ABI by hand: values in the memory of a core module.

For the program of a component that runs on the host's own preview 1: a tensor is copied in one
piece, of any length. What the specification calls a trap is one here (CanonicalABI.md).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.host.abi.core_functions import CoreFunction, flat_size
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.wit import Wit
from pipeline.host.abi.wit_types import (
    Borrow,
    Bytes,
    Enum,
    ErrorReturn,
    ListOf,
    Numbers,
    Own,
    ResultOf,
    String,
    Tuple,
    WitType,
)
from pipeline.host.component.handle_table import HandleTable
from pipeline.host.session.error import GuestTrap, WasiNnError

_MOST = (1 << 28) - 1
_PAIR = struct.Struct("<II")


class Realloc(Protocol):
    """The guest's `cabi_realloc`; raises wasmtime's errors."""

    def __call__(self, old: int, old_size: int, align: int, size: int) -> int:
        """Return the address of a new block."""
        ...


class CanonicalGuest:
    """The functions of a core module, over those of a component's face."""

    def __init__(self, face: Wit) -> None:
        self.face = face
        self.table = HandleTable()
        self._realloc: Realloc | None = None
        self._allocating = False

    def open(self, realloc: Realloc | None) -> None:
        """Use the guest's function to allocate, once there is an instance."""
        self._realloc = realloc

    def function(self, function: CoreFunction) -> Callable[..., int]:
        """Return a function of u32s, which raises GuestTrap."""
        if function.signature is None:
            return self._drop(function.drops)
        serve = self.face.function(function.signature.name)
        kinds = [kind for _, kind in function.signature.parameters]
        sizes = [flat_size(kind) for kind in kinds]
        result, pointer = function.signature.result, function.pointer

        def call(memory: Memory | None, *values: int) -> int:
            self._check(memory)
            assert memory is not None
            whole, at, given = memory.data(), 0, []
            for kind, size in zip(kinds, sizes, strict=True):
                given.append(self._lift_flat(whole, kind, values[at : at + size]))
                at += size
            returned = serve(*given)
            if not pointer:
                return self._flat(result, returned)
            self._store(memory, result, returned, _aligned(values[-1], 4, "the result"))
            return 0

        return call

    def _drop(self, resource: str) -> Callable[..., int]:
        def call(memory: Memory | None, handle: int) -> int:
            self._check(memory)
            number = self.table.remove(handle, resource)
            try:
                self.face.drop(resource, number)
            except WasiNnError as error:
                raise GuestTrap(error.message) from None
            return 0

        return call

    def _check(self, memory: Memory | None) -> None:
        if self._allocating:
            raise GuestTrap("cannot leave component instance: cabi_realloc called an import")
        if memory is None:
            raise GuestTrap("the guest exports no memory")

    def _lift_flat(self, whole: memoryview, kind: WitType, values: tuple[int, ...]) -> Any:
        if isinstance(kind, Own):
            return self.table.remove(values[0], kind.resource)
        if isinstance(kind, Borrow):
            return self.table.get(values[0], kind.resource)
        if isinstance(kind, Enum):
            return _case(kind, values[0])
        return self._listed(whole, kind, *values)

    def _listed(self, whole: memoryview, kind: WitType, at: int, length: int) -> Any:
        """Return a string or list, given its address and length."""
        if isinstance(kind, String):
            try:
                return bytes(_part(whole, "string", at, length)).decode()
            except UnicodeDecodeError as error:
                raise GuestTrap(f"a string is not UTF-8: {error.reason}") from None
        if isinstance(kind, Bytes):
            return _part(whole, "list", at, length)
        if isinstance(kind, Numbers):
            part = _part(whole, "list", _aligned(at, 4, "a list"), 4 * length)
            return struct.unpack(f"<{length}I", part)
        if not isinstance(kind, ListOf):
            raise TypeError(f"a {kind} is no parameter")
        size = _size(kind.element)
        _part(whole, "list", _aligned(at, 4, "a list"), size * length)
        return [
            self._load(whole, kind.element, place) for place in range(at, at + size * length, size)
        ]

    def _load(self, whole: memoryview, kind: WitType, at: int) -> Any:
        """Return the element of a list, in bounds and aligned to 4."""
        if isinstance(kind, Own):
            return self.table.remove(int.from_bytes(whole[at : at + 4], "little"), kind.resource)
        if isinstance(kind, Tuple):
            found = []
            for each in kind.elements:
                found.append(self._load(whole, each, at))
                at += _size(each)
            return tuple(found)
        return self._listed(whole, kind, *_PAIR.unpack_from(whole, at))

    def _flat(self, kind: WitType, value: Any) -> int:
        """Return a value that is one u32."""
        if isinstance(kind, Enum):
            return kind.cases.index(value)
        if isinstance(kind, Own):
            return self.table.add(kind.resource, value)
        raise TypeError(f"a {kind} is more than a number")

    def _store(self, memory: Memory, kind: WitType, value: Any, at: int) -> None:
        """Write a value at an address that is aligned to 4, which need not be in bounds."""
        if isinstance(kind, ResultOf):
            failed = isinstance(value, ErrorReturn)
            _put(memory, at, bytes([failed]))
            if isinstance(value, ErrorReturn):
                self._store(memory, kind.error, value.error, at + 4)
            else:
                self._store(memory, kind.value, value, at + 4)
        elif isinstance(kind, (Own, Enum)):
            _put(memory, at, self._flat(kind, value).to_bytes(4, "little"))
        elif isinstance(kind, Tuple):
            for each, inner in zip(kind.elements, value, strict=True):
                self._store(memory, each, inner, at)
                at += _size(each)
        else:
            _put(memory, at, _PAIR.pack(*self._allocated(memory, kind, value)))

    def _allocated(self, memory: Memory, kind: WitType, value: Any) -> tuple[int, int]:
        """Write a string or list to a new block; return its address and length."""
        if isinstance(kind, ListOf):
            size = _size(kind.element)
            start = self._allocate(memory, 4, size * len(value))
            for index, each in enumerate(value):
                self._store(memory, kind.element, each, start + size * index)
            return start, len(value)
        if isinstance(kind, Numbers):
            start = self._allocate(memory, 4, 4 * len(value))
            _put(memory, start, struct.pack(f"<{len(value)}I", *value))
            return start, len(value)
        data = value.encode() if isinstance(kind, String) else value
        start = self._allocate(memory, 1, len(data))
        _put(memory, start, data)
        return start, len(data)

    def _allocate(self, memory: Memory, align: int, size: int) -> int:
        if self._realloc is None:
            raise GuestTrap("the guest exports no cabi_realloc")
        self._allocating = True
        try:
            at = self._realloc(0, 0, align, size) & 0xFFFFFFFF
        finally:
            self._allocating = False
        if at % align:
            raise GuestTrap(f"cabi_realloc returned {at:#x}, which is not aligned to {align}")
        # It may have grown the memory.
        if at + size > len(memory.data()):
            raise GuestTrap(f"cabi_realloc returned {size} bytes at {at:#x}, beyond the memory")
        return at


def _case(kind: Enum, number: int) -> str:
    if number >= len(kind.cases):
        raise GuestTrap(f"unexpected discriminant: {number} of an enum of {len(kind.cases)} cases")
    return kind.cases[number]


def _size(kind: WitType) -> int:
    """Return the bytes of a value in memory; every part is aligned to 4."""
    if isinstance(kind, Tuple):
        return sum(map(_size, kind.elements))
    return 4 if isinstance(kind, (Own, Borrow)) else 8


def _part(whole: memoryview, what: str, at: int, size: int) -> memoryview:
    if at + size > len(whole):
        raise GuestTrap(f"{what} pointer/length out of bounds of memory: {size} bytes at {at:#x}")
    return whole[at : at + size]


def _aligned(at: int, align: int, what: str) -> int:
    if at % align:
        raise GuestTrap(f"the pointer of {what} is not aligned to {align}: {at:#x}")
    return at


def _put(memory: Memory, at: int, data: bytes) -> None:
    _part(memory.data(), "result", at, len(data))[:] = data
