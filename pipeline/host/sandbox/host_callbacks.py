"""Host functions without wasmtime's conversion of each value.

`Linker.define_func` wraps every argument and the caller in objects, which costs more than a small
inference. Here the values are read directly from wasmtime's array: 16 bytes each, with an i32 in
the first four (wasmtime.h, `wasmtime_val_raw_t`).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime._ffi import dll

# Arguments as u32s, and the memory of the calling instance, or None if it exports none.
HostFunction = Callable[["InstanceMemory | None", Sequence[int]], int]

_SLOT = 16
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
_NOTHING = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)
_CALLER = ctypes.POINTER(bindings.wasmtime_caller_t)
_MEMORY = 3
# ctypes' argument conversion in the bindings would take longer than the rest of a call.
_data_size = ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)(
    ("wasmtime_memory_data_size", dll)
)


class InstanceMemory:
    """The exported memory of an instance, as of its current call."""

    def __init__(self, context: Any, memory: Any) -> None:
        self._context = context
        self._memory = memory
        self._addresses = ctypes.cast(context, ctypes.c_void_p).value, ctypes.addressof(memory)
        self._size = 0
        self._data = memoryview(b"")

    def refresh(self) -> InstanceMemory:
        """Refresh the view, which moves only if the memory grows; called once per call."""
        size = _data_size(*self._addresses)
        if size != self._size:
            pointer = bindings.wasmtime_memory_data(self._context, ctypes.byref(self._memory))
            address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
            self._data = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")
            self._size = size
        return self

    def data(self) -> memoryview:
        """Return a view of all bytes, valid until the guest runs again."""
        return self._data


class HostCallbacks:
    """The host functions of one instance; must outlive its store.

    ``failure`` is the exception of a function, which trapped the guest.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._kept: list[Any] = []
        self._memory: InstanceMemory | None = None

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
        slots = ctypes.c_uint8 * (_SLOT * max(count, 1))
        arguments = struct.Struct("<" + "12x".join("I" * count))
        last, raw = 0, memoryview(b"")

        def call(_env: int, caller: int, values: int, _count: int) -> int:
            nonlocal last, raw
            try:
                # Usually the same stack address as in the last call.
                if values != last:
                    raw = memoryview(slots.from_address(values)).cast("B").cast("I")
                    last = values
                memory = self._memory.refresh() if self._memory else self._find(caller)
                raw[0] = function(memory, arguments.unpack_from(raw))
            except BaseException as error:  # Exceptions cannot cross wasm: trap instead.
                self.failure = error
                trap = wasmtime.Trap("a host function failed")._consume()
                return ctypes.cast(trap, ctypes.c_void_p).value or 0
            return 0

        callback = _CALLBACK(call)
        kind = wasmtime.FuncType(
            [wasmtime.ValType.i32()] * count, [wasmtime.ValType.i32()] * results
        )
        parts = [ctypes.create_string_buffer(each.encode()) for each in (module, name)]
        lengths = [len(each) - 1 for each in parts]
        self._kept += [callback, kind]
        error = bindings.wasmtime_linker_define_func_unchecked(
            linker.ptr(),
            *(parts[0], lengths[0], parts[1], lengths[1]),
            kind.ptr(),
            ctypes.cast(callback, bindings.wasmtime_func_unchecked_callback_t),
            *(None, _NOTHING),
        )
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)

    def _find(self, caller: int) -> InstanceMemory | None:
        """Return the instance's memory, which is known only from a caller."""
        pointer = ctypes.cast(caller, _CALLER)
        item = bindings.wasmtime_extern_t()
        name = ctypes.create_string_buffer(b"memory")
        there = bindings.wasmtime_caller_export_get(pointer, name, 6, ctypes.byref(item))
        if not there or int(item.kind) != _MEMORY:
            return None
        context = bindings.wasmtime_caller_context(pointer)
        self._memory = InstanceMemory(context, item.of.memory)
        self._kept.append(item)
        return self._memory.refresh()
