"""Values of components in Wasmtime's memory, read and written without its Python objects.

wasmtime-py converts a list byte by byte, 600 ms for the tensor of an image. Here the values are
read directly: 32 bytes each, with the kind in the first and the rest from the eighth on
(wasmtime/component/val.h, `wasmtime_component_val_t`).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import _ffi

from pipeline.host.abi.wit_types import (
    RESOURCES,
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
from pipeline.host.session.error import GuestTrap

VALUE_SIZE = 32
# Wasmtime counts what crosses and stops at 128 MiB: 32 bytes for each byte of a list that the host
# passes, 48 for one that the guest passes.
MOST_LISTED = 4 << 20
_KIND_U8, _KIND_U32, _KIND_STRING, _KIND_LIST = 2, 6, 12, 13
_KIND_TUPLE, _KIND_ENUM, _KIND_RESULT, _KIND_RESOURCE = 15, 17, 19, 21
_KINDS: Mapping[type, int] = MappingProxyType(
    {
        **{Own: _KIND_RESOURCE, Borrow: _KIND_RESOURCE, String: _KIND_STRING, Enum: _KIND_ENUM},
        **{Bytes: _KIND_LIST, Numbers: _KIND_LIST, ListOf: _KIND_LIST, Tuple: _KIND_TUPLE},
    }
)
# Kind; then a length and a pointer (lists, tuples, strings, enums), or a pointer (resources).
_SIZED = struct.Struct("<B7xQQ8x")

# The number by which Wasmtime tells each of the host's types of resources from the others.
TYPE_NUMBERS = {name: number for number, name in enumerate(RESOURCES)}

_Any = ctypes.POINTER(bindings.wasmtime_component_resource_any_t)
_Host = ctypes.POINTER(bindings.wasmtime_component_resource_host_t)
_List = bindings.wasmtime_component_vallist_t
_Value = bindings.wasmtime_component_val_t


def lift(context: Any, kind: WitType, at: int) -> Any:
    """Return the value at an address; an owned resource is the host's from then on."""
    number, size, data = _SIZED.unpack(ctypes.string_at(at, VALUE_SIZE))
    # Wasmtime links functions of any type, and calls this with what the component imports.
    if number != _KINDS[type(kind)]:
        raise _other_type()
    if isinstance(kind, (Own, Borrow)):
        return _taken(context, kind.resource, size)
    if isinstance(kind, (Bytes, Numbers)):
        whole = _view(data, size)
        if size and whole[0] != (_KIND_U8 if isinstance(kind, Bytes) else _KIND_U32):
            raise _other_type()
        if isinstance(kind, Bytes):
            return whole[8::VALUE_SIZE].tobytes()
        return tuple(whole.cast("I")[2 :: VALUE_SIZE // 4].tolist())
    if isinstance(kind, (Enum, String)):
        text = ctypes.string_at(data, size).decode()
        if isinstance(kind, Enum) and text not in kind.cases:
            raise _other_type()
        return text
    if isinstance(kind, ListOf):
        return [lift(context, kind.element, data + VALUE_SIZE * each) for each in range(size)]
    if isinstance(kind, Tuple):
        if size != len(kind.elements):
            raise _other_type()
        return tuple(
            lift(context, element, data + VALUE_SIZE * each)
            for each, element in enumerate(kind.elements)
        )
    raise TypeError(f"a {kind} is no parameter")


def check_counts(kinds: Sequence[WitType], parameters: int, results: int) -> None:
    """Raise GuestTrap unless a call has as many values as the function has parameters."""
    if parameters != len(kinds) or results != 1:
        raise _other_type()


def lower(context: Any, kind: WitType, value: Any, at: int) -> None:
    """Write a value at an address; raises GuestTrap for a list that is too long for Wasmtime."""
    target = _Value.from_address(at)
    if isinstance(kind, (Own, Borrow)):
        target.of.resource = _given(context, kind.resource, value)
        target.kind = _KIND_RESOURCE
    elif isinstance(kind, Bytes):
        _check_length(len(value))
        address = _new_list(target, len(value))
        whole = _view(address, len(value))
        whole[::VALUE_SIZE] = bytes([_KIND_U8]) * len(value)
        whole[8::VALUE_SIZE] = value
    elif isinstance(kind, Numbers):
        address = _new_list(target, len(value))
        whole = _view(address, len(value))
        whole[::VALUE_SIZE] = bytes([_KIND_U32]) * len(value)
        words = memoryview(struct.pack(f"={len(value)}I", *value)).cast("B").cast("I")
        whole.cast("I")[2 :: VALUE_SIZE // 4] = words
    elif isinstance(kind, (Enum, String)):
        # Both are a name in the same place.
        target.of.string = _ffi.str_to_capi(value)
        target.kind = _KIND_STRING if isinstance(kind, String) else _KIND_ENUM
    elif isinstance(kind, ListOf):
        address = _new_list(target, len(value))
        for each, element in enumerate(value):
            lower(context, kind.element, element, address + VALUE_SIZE * each)
    elif isinstance(kind, Tuple):
        address = _new_list(target, len(value))
        target.kind = _KIND_TUPLE
        for each, (element, inner) in enumerate(zip(value, kind.elements, strict=True)):
            lower(context, inner, element, address + VALUE_SIZE * each)
    elif isinstance(kind, ResultOf):
        failed = isinstance(value, ErrorReturn)
        payload = _Value()
        if isinstance(value, ErrorReturn):
            lower(context, kind.error, value.error, ctypes.addressof(payload))
        else:
            lower(context, kind.value, value, ctypes.addressof(payload))
        target.of.result.is_ok = not failed
        target.of.result.val = bindings.wasmtime_component_val_new(ctypes.byref(payload))
        target.kind = _KIND_RESULT


def _other_type() -> GuestTrap:
    return GuestTrap(
        "the component imports a function of wasi:nn with another type than the host's"
    )


def _check_length(length: int) -> None:
    if length > MOST_LISTED:
        raise GuestTrap(
            f"a list of {length} bytes for a component is longer than Wasmtime's limit of "
            f"{MOST_LISTED} bytes"
        )


def _view(address: int, count: int) -> memoryview:
    """Return a view of values in a row."""
    if not count:
        return memoryview(bytearray())
    return memoryview((ctypes.c_ubyte * (VALUE_SIZE * count)).from_address(address)).cast("B")


def _new_list(target: Any, count: int) -> int:
    """Make room for a list in a value, and return its address."""
    made = _List()
    bindings.wasmtime_component_vallist_new_uninit(ctypes.byref(made), count)
    target.of.list = made
    target.kind = _KIND_LIST
    return ctypes.cast(made.data, ctypes.c_void_p).value or 0


def _taken(context: Any, resource: str, pointer: int) -> int:
    """Return the number of a resource, and end the loan or the guest's ownership."""
    host = _Host()
    error = bindings.wasmtime_component_resource_any_to_host(
        context, ctypes.cast(pointer, _Any), ctypes.byref(host)
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)
    try:
        number: int = bindings.wasmtime_component_resource_host_rep(host)
        if bindings.wasmtime_component_resource_host_type(host) != TYPE_NUMBERS[resource]:
            raise GuestTrap(f"a resource of another type than {resource}")
    finally:
        bindings.wasmtime_component_resource_host_delete(host)
    return number


def _given(context: Any, resource: str, number: int) -> Any:
    """Return a new resource that belongs to the guest."""
    made = _Any()
    host = bindings.wasmtime_component_resource_host_new(True, number, TYPE_NUMBERS[resource])
    try:
        error = bindings.wasmtime_component_resource_host_to_any(context, host, ctypes.byref(made))
    finally:
        bindings.wasmtime_component_resource_host_delete(host)
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)
    return made
