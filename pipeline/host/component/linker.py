"""wasi-nn in a linker for components: its functions, and the ends of its resources.

Wasmtime keeps the handles of each instance; what they stand for is kept by store, and ends with it.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import component
from wasmtime.component import _enter

from pipeline.host.abi.wit import Wit
from pipeline.host.abi.wit_types import FUNCTIONS, RESOURCES, Signature, interface_name
from pipeline.host.component.values import TYPE_NUMBERS, VALUE_SIZE, check_counts, lift, lower
from pipeline.host.session.error import GuestTrap, WasiNnError

_CONTEXT = ctypes.POINTER(bindings.wasmtime_context_t)
# Those of the bindings, with addresses in place of pointers, which cost an object each.
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t),
)
_DESTRUCTOR = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

# What Wasmtime may still call, by the number that it knows it by.
_kept: dict[int, object] = {}
_endings: dict[int, Callable[[], None]] = {}
_numbers = itertools.count(1)


class _Stores:
    """The resources of each store that has called, by the address of its context."""

    def __init__(self, new_face: Callable[[], Wit]) -> None:
        self._new_face = new_face
        self._faces: dict[int, Wit] = {}

    def face(self, context: int) -> Wit:
        """Return the functions of a store, made at its first call."""
        face = self._faces.get(context)
        if face is None:
            face = self._faces[context] = self._new_face()
            _at_end_of_store(context, lambda: self._end(context))
        return face

    def _end(self, context: int) -> None:
        face = self._faces.pop(context, None)
        if face is not None:
            face.close()


def define(linker: component.Linker, new_face: Callable[[], Wit]) -> None:
    """Define wasi-nn in a linker; ``new_face`` makes the functions of each store that calls.

    Raises wasmtime.WasmtimeError if the linker already has a wasi-nn.
    """
    stores = _Stores(new_face)
    with linker.root() as root:
        for interface in dict.fromkeys(RESOURCES.values()):
            with root.add_instance(interface_name(interface)) as instance:
                for resource, of in RESOURCES.items():
                    if of == interface:
                        _define_resource(instance, resource, stores)
                for signature in FUNCTIONS.values():
                    if signature.interface == interface:
                        _define_function(instance, signature, stores)


def _define_function(
    instance: component.LinkerInstance, signature: Signature, stores: _Stores
) -> None:
    kinds = tuple(kind for _, kind in signature.parameters)
    name, result_kind = signature.name, signature.result
    last: Any = None

    def call(
        _env: int, context: int, _type: int, values: int, count: int, results: int, made: int
    ) -> int:
        nonlocal last
        try:
            check_counts(kinds, count, made)
            face = stores.face(context)
            if last is None or last[0] is not face:
                last = face, face.function(name), ctypes.cast(context, _CONTEXT)
            _, function, pointer = last
            given = [lift(pointer, kind, values + VALUE_SIZE * at) for at, kind in enumerate(kinds)]
            lower(pointer, result_kind, function(*given), results)
        except BaseException as error:  # Exceptions cannot cross wasm: trap instead.
            return _trap(error)
        return 0

    _add(
        bindings.wasmtime_component_linker_instance_add_func,
        (instance.ptr(), *_text(signature.wit_name)),
        _CALLBACK(call),
        bindings.wasmtime_component_func_callback_t,
    )


def _define_resource(instance: component.LinkerInstance, resource: str, stores: _Stores) -> None:
    def drop(_env: int, context: int, number: int) -> int:
        try:
            stores.face(context).drop(resource, number)
        except BaseException as error:
            return _trap(error)
        return 0

    kind = component.ResourceType.host(TYPE_NUMBERS[resource])
    _add(
        bindings.wasmtime_component_linker_instance_add_resource,
        (instance.ptr(), *_text(resource), kind.ptr()),
        _DESTRUCTOR(drop),
        bindings.wasmtime_component_resource_destructor_t,
    )


def _add(function: Any, first: tuple[Any, ...], callback: Any, kind: Any) -> None:
    number = next(_numbers)
    _kept[number] = callback
    error = function(*first, ctypes.cast(callback, kind), number, _release)
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)


def _text(name: str) -> tuple[Any, int]:
    data = name.encode()
    return ctypes.create_string_buffer(data), len(data)


def _trap(error: BaseException) -> int:
    if isinstance(error, (GuestTrap, WasiNnError, wasmtime.WasmtimeError)):
        failed = wasmtime.WasmtimeError(str(error))
    else:
        # Wasmtime raises it where the component was called.
        _enter.LAST_EXCEPTION = error  # type: ignore[assignment] # of any kind, as its own
        failed = wasmtime.WasmtimeError("a host function failed")
    return ctypes.cast(failed._consume(), ctypes.c_void_p).value or 0


_release = _FINALIZER(lambda number: _kept.pop(number, None) and None)


def _at_end_of_store(context: int, ended: Callable[[], None]) -> None:
    """Call a function when a store ends: with it ends a function of it that nobody calls."""
    number = next(_numbers)
    _endings[number] = ended
    kind = wasmtime.FuncType([], [])
    bindings.wasmtime_func_new(
        ctypes.cast(context, _CONTEXT),
        kind.ptr(),
        _never,
        number,
        _end,
        ctypes.byref(bindings.wasmtime_func_t()),
    )


_never = bindings.wasmtime_func_callback_t(lambda *_: None)
_end = _FINALIZER(lambda number: _endings.pop(number)())
