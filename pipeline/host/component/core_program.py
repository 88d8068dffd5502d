"""The core program of a component: wasi-nn in its linker, and its own function to allocate."""

from __future__ import annotations

from collections.abc import Mapping

import wasmtime

from pipeline.host.abi.core_functions import CORE_FUNCTIONS
from pipeline.host.abi.wit import Wit
from pipeline.host.abi.wit_types import interface_name
from pipeline.host.component.calls import ComponentCalls
from pipeline.host.component.canonical import CanonicalGuest
from pipeline.host.sandbox.host_callbacks import HostCallbacks

_REALLOC = "cabi_realloc"


class CoreProgram:
    """One component's program: ``define`` its imports, then ``open`` it with its exports."""

    def __init__(self, calls: ComponentCalls, face: Wit) -> None:
        self._calls = calls
        self.guest = CanonicalGuest(face)

    def define(self, linker: wasmtime.Linker, _store: wasmtime.Store) -> ComponentCalls:
        """Define wasi-nn's functions in a linker, and return their calls."""
        callbacks = HostCallbacks(one_instance=True, reraised=True)
        for each in CORE_FUNCTIONS:
            callbacks.define(
                linker,
                interface_name(each.interface),
                each.name,
                each.parameters,
                self.guest.function(each),
                results=each.results,
            )
        return self._calls

    def open(self, exports: Mapping[str, object], store: wasmtime.Store) -> None:
        """Use the instance's function to allocate, if it has one."""
        function = exports.get(_REALLOC)
        if isinstance(function, wasmtime.Func):
            kind = function.type(store)
            i32 = wasmtime.ValType.i32()
            if list(kind.params) == [i32] * 4 and list(kind.results) == [i32]:
                self.guest.open(lambda *values: int(function(store, *values)))
