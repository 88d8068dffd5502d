"""Host functions without wasmtime's conversion of each value.

`Linker.define_func` wraps every argument and the caller in objects, which costs more than a small
inference. Here the values are read directly from wasmtime's array: 16 bytes each, with an i32 in
the first four (wasmtime.h, `wasmtime_val_raw_t`).
"""

from __future__ import annotations

import ctypes
import itertools
import struct
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import _func
from wasmtime._ffi import dll

from pipeline.host.session.error import GuestTrap

# Takes the memory of the calling instance, or None if it exports none, and its arguments as u32s.
HostFunction = Callable[..., int]

_SLOT = 16
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_CALLER = ctypes.POINTER(bindings.wasmtime_caller_t)
_MEMORY = 3
# A wasmtime_extern_t with a memory: its kind, and the numbers that identify the memory.
_FOUND = struct.Struct(f"<B{bindings.wasmtime_extern_t.of.offset - 1}xQI4xI")
# ctypes' argument conversion in the bindings would take longer than the rest of a call: this has no
# argtypes, and gets arguments that are converted once.
_data_size = ctypes.PYFUNCTYPE(ctypes.c_size_t)(("wasmtime_memory_data_size", dll))
_data_size.argtypes = None  # type: ignore[assignment] # undoes the prototype's
_find_export = ctypes.PYFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p
)(("wasmtime_caller_export_get", dll))

# Functions that wasmtime may still call, by the number that it knows them by.
_kept: dict[int, object] = {}
_numbers = itertools.count(1)


_release = _FINALIZER(lambda number: _kept.pop(number, None) and None)


class InstanceMemory:
    """The exported memory of an instance; one object for each."""

    def __init__(self, context: Any, memory: Any) -> None:
        self._context = context
        self._memory = memory
        # References, which ctypes passes as they are.
        self._context_at = ctypes.byref(context.contents)
        self._memory_at = ctypes.byref(memory)
        self._size = 0
        self._data = memoryview(b"")

    def data(self) -> memoryview:
        """Return a view of all bytes, valid until the guest runs again."""
        size = _data_size(self._context_at, self._memory_at)
        # The view moves only if the memory grows.
        if size != self._size:
            pointer = bindings.wasmtime_memory_data(self._context, ctypes.byref(self._memory))
            address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
            self._data = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")
            self._size = size
        return self._data


class HostCallbacks:
    """Host functions for the instances of one linker and store.

    ``one_instance`` says that a single one calls them: then its memory is looked up once instead of
    at each call. ``failure`` is the last exception of a function, which trapped the guest; with
    ``reraised``, wasmtime raises it where the guest was called, as those of its own functions.
    """

    def __init__(self, *, one_instance: bool = False, reraised: bool = False) -> None:
        self.failure: BaseException | None = None
        self._one_instance = one_instance
        self._reraised = reraised
        self._memories: dict[tuple[int, ...], InstanceMemory] = {}
        self._memory: InstanceMemory | None = None
        self._found = bindings.wasmtime_extern_t()
        self._found_at = ctypes.addressof(self._found)
        self._last: tuple[int, ...] = ()

    def define(
        self,
        linker: wasmtime.Linker,
        module: str,
        name: str,
        count: int,
        function: HostFunction,
        results: int = 1,
    ) -> None:
        """Define a function of ``count`` i32s with one result or none; raises WasmtimeError."""
        self.define_for_each(linker, module, name, count, lambda _memory: function, results)

    def define_for_each(
        self,
        linker: wasmtime.Linker,
        module: str,
        name: str,
        count: int,
        function_of: Callable[[InstanceMemory | None], HostFunction],
        results: int = 1,
    ) -> None:
        """Define a function that differs by instance; raises WasmtimeError.

        ``function_of`` returns an instance's function, given its memory.
        """
        slots = ctypes.c_uint8 * (_SLOT * max(count, 1))
        unpack = struct.Struct("<" + "12x".join("I" * count)).unpack_from
        one_instance = self._one_instance
        last, raw = 0, memoryview(b"")
        memory: InstanceMemory | None = None
        function: HostFunction | None = None
        found = False

        def call(_env: int, caller: int, values: int, _count: int) -> int:
            nonlocal last, raw, memory, function, found
            try:
                # Usually the same stack address as in the last call.
                if values != last:
                    raw = memoryview(slots.from_address(values)).cast("B").cast("I")
                    last = values
                if not found or function is None:
                    now = self._find(caller)
                    if now is not memory or function is None:
                        function, memory = function_of(now), now
                    found = one_instance and now is not None
                raw[0] = function(memory, *unpack(raw))
            except BaseException as error:  # Exceptions cannot cross wasm: trap instead.
                return self._trap(error)
            return 0

        callback = _CALLBACK(call)
        kind = wasmtime.FuncType(
            [wasmtime.ValType.i32()] * count, [wasmtime.ValType.i32()] * results
        )
        parts = [ctypes.create_string_buffer(each.encode()) for each in (module, name)]
        lengths = [len(each) - 1 for each in parts]
        number = next(_numbers)
        _kept[number] = callback
        error = bindings.wasmtime_linker_define_func_unchecked(
            linker.ptr(),
            *(parts[0], lengths[0], parts[1], lengths[1]),
            kind.ptr(),
            ctypes.cast(callback, bindings.wasmtime_func_unchecked_callback_t),
            *(number, _release),
        )
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)

    def _trap(self, error: BaseException) -> int:
        self.failure = error
        if isinstance(error, wasmtime.Trap):
            # Of the guest's function that the host called: its code and words are kept.
            trap = error._consume()
        elif isinstance(error, GuestTrap):
            trap = wasmtime.Trap(str(error))._consume()
        else:
            if self._reraised:
                _func.LAST_EXCEPTION = error  # type: ignore[assignment] # of any kind, as its own
            trap = wasmtime.Trap("a host function failed")._consume()
        return ctypes.cast(trap, ctypes.c_void_p).value or 0

    def _find(self, caller: int) -> InstanceMemory | None:
        """Return the memory of the calling instance."""
        if not _find_export(caller, b"memory", 6, self._found_at):
            return None
        found: tuple[int, ...] = _FOUND.unpack_from(self._found)
        if found[0] != _MEMORY:
            return None
        if found != self._last or self._memory is None:
            memory = self._memories.get(found)
            if memory is None:
                context = bindings.wasmtime_caller_context(ctypes.cast(caller, _CALLER))
                own = bindings.wasmtime_memory_t.from_buffer_copy(self._found.of.memory)
                memory = self._memories[found] = InstanceMemory(context, own)
            self._memory, self._last = memory, found
        return self._memory
