"""wasi-nn for a program that embeds wasmtime-py: its own engine, linker and store."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.abi import enums
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.shortcuts import WitxFunction
from pipeline.host.abi.wit import Wit
from pipeline.host.abi.witx import Witx
from pipeline.host.backend import Hint, Tuning
from pipeline.host.backend_registry import Backends
from pipeline.host.component.calls import ComponentCalls
from pipeline.host.graph_registry import GraphNames, GraphRegistry, NamedGraph
from pipeline.host.model_types import Encoding
from pipeline.host.session.session import Limits, Session
from pipeline.host.session.tensor_recorder import TensorRecorder

if TYPE_CHECKING:
    import wasmtime
    from wasmtime import component

    from pipeline.host.component.core_program import CoreProgram

__all__ = ["Calls", "ComponentCalls", "Encoding", "Limits", "NamedGraph", "WasiNn"]


class WasiNn:
    r"""wasi-nn for the instances of a linker; thread-safe, and one object serves many linkers.

    ``graphs`` are the models that ``load_by_name`` finds, each compiled once and shared.
    ``backends`` selects the framework of an encoding, ``limits`` what each instance may hold.
    ``hint`` is what to optimise for, ``threads`` the number of CPU threads per inference,
    ``model_cache`` a folder to cache compiled named graphs in, created if missing; backends ignore
    options that they do not support. ``tensor_type_abi`` and ``encoding_numbers`` select a
    numbering where guests differ. ``on_message`` receives a line for each failed call, from the
    thread that runs the guest. Raises PipelineError (USAGE) for an unknown framework, a graph
    without files, or a folder that cannot be created.

    >>> import wasmtime
    >>> engine = wasmtime.Engine()
    >>> store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    >>> messages = []
    >>> calls = WasiNn(on_message=messages.append).add_to_linker(linker, store)
    >>> guest = r'''(module
    ...   (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
    ...   (memory (export "memory") 1)
    ...   (func (export "infer") (result i32) (call $compute (i32.const 0))))'''
    >>> instance = linker.instantiate(store, wasmtime.Module(engine, guest))
    >>> instance.exports(store)["infer"](store), messages
    (1, ['compute: context 0 does not exist; handles in use: none (errno 1, invalid_argument)'])
    >>> calls.succeeded["compute"]
    0
    """

    def __init__(
        self,
        *,
        graphs: Sequence[NamedGraph] = (),
        backends: Mapping[Encoding, str] | None = None,
        limits: Limits | None = None,
        hint: Hint | None = None,
        threads: int | None = None,
        model_cache: Path | None = None,
        tensor_type_abi: enums.TensorTypeAbi = 2023,
        encoding_numbers: enums.EncodingNumbers = "wasmedge",
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        self._tensor_type_abi: enums.TensorTypeAbi = tensor_type_abi
        self._encoding_numbers: enums.EncodingNumbers = encoding_numbers
        self._limits = limits or Limits()
        self._on_message = on_message
        self._backends = Backends(
            backends or {}, Tuning(hint=hint, threads=threads, cache=_made(model_cache))
        )
        self._registry = GraphRegistry(self._backends)
        self._graph_names = self._registry.named(graphs)

    def close(self) -> None:
        """Drop the compiled graphs; those that instances use end with them."""
        self._registry.clear()

    def named(self, graphs: Sequence[NamedGraph]) -> GraphNames:
        """Return graphs for ``add_to_linker`` in place of ``graphs``.

        Raises PipelineError (USAGE) if a file is missing, or two have one name.
        """
        return self._registry.named(graphs)

    def add_to_linker(
        self,
        linker: wasmtime.Linker,
        store: wasmtime.Store,
        *,
        graph_names: GraphNames | None = None,
        on_message: Callable[[str], None] | None = None,
        trace: Callable[[str], None] | None = None,
        recorder: TensorRecorder | None = None,
        one_instance: bool = False,
    ) -> Calls:
        """Define wasi-nn in a linker, for the instances that it makes in a store.

        Each instance has its own handles and limits, and its export ``memory`` is what its pointers
        mean; they end with the store. The other parameters are of this linker alone: ``trace``
        receives each call, ``recorder`` each tensor, and ``one_instance`` promises that a single
        one calls, which saves a look-up at each call. An exception in a call, such as
        KeyboardInterrupt, traps the guest, and wasmtime raises it where the guest was called.
        Raises wasmtime.WasmtimeError if the linker already has a wasi-nn.
        """
        from pipeline.host.sandbox.host_callbacks import HostCallbacks

        def new_face(calls: Calls) -> Witx:
            session = Session(
                graph_names or self._graph_names,
                self._backends,
                limits=self._limits,
                recorder=recorder,
            )
            return Witx(
                session,
                on_message=on_message or self._on_message or _ignore,
                succeeded=calls.succeeded,
                trace=trace,
                tensor_type_abi=self._tensor_type_abi,
                encoding_numbers=self._encoding_numbers,
            )

        calls = Calls(new_face)
        callbacks = HostCallbacks(one_instance=one_instance, reraised=True)
        for name, parameters in enums.FUNCTIONS.items():
            callbacks.define_for_each(
                linker, enums.MODULE, name, len(parameters), calls.function_of(name)
            )
        weakref.finalize(store, calls.close)
        return calls

    def add_to_component_linker(
        self,
        linker: component.Linker,
        *,
        graph_names: GraphNames | None = None,
        on_message: Callable[[str], None] | None = None,
        trace: Callable[[str], None] | None = None,
        recorder: TensorRecorder | None = None,
    ) -> ComponentCalls:
        """Define wasi-nn's component interface in a linker for components.

        The components of a store share their limits, not their resources, which end with the
        store. ``encoding_numbers`` and ``tensor_type_abi`` have no meaning here; the other
        parameters are those of ``add_to_linker``. Raises wasmtime.WasmtimeError if the linker
        already has a wasi-nn.
        """
        from pipeline.host.component.linker import define

        calls = ComponentCalls()
        define(linker, self._faces(calls, graph_names, on_message, trace, recorder))
        return calls

    def core_program(
        self,
        *,
        graph_names: GraphNames | None = None,
        on_message: Callable[[str], None] | None = None,
        trace: Callable[[str], None] | None = None,
        recorder: TensorRecorder | None = None,
    ) -> CoreProgram:
        """Return what defines the component interface for the core program of one component.

        The parameters are those of ``add_to_component_linker``.
        """
        from pipeline.host.component.core_program import CoreProgram

        calls = ComponentCalls()
        return CoreProgram(calls, self._faces(calls, graph_names, on_message, trace, recorder)())

    def _faces(
        self,
        calls: ComponentCalls,
        graph_names: GraphNames | None,
        on_message: Callable[[str], None] | None,
        trace: Callable[[str], None] | None,
        recorder: TensorRecorder | None,
    ) -> Callable[[], Wit]:
        def new_face() -> Wit:
            session = Session(
                graph_names or self._graph_names,
                self._backends,
                limits=self._limits,
                recorder=recorder,
            )
            face = Wit(
                session,
                on_message=on_message or self._on_message or _ignore,
                succeeded=calls.succeeded,
                trace=trace,
            )
            calls.add(face)
            return face

        return new_face


class Calls:
    """The calls of a linker's instances; ``succeeded`` counts the successful ones by function."""

    def __init__(self, new_face: Callable[[Calls], Witx]) -> None:
        self._new_face = new_face
        self._faces: dict[Memory | None, Witx] = {}
        # A plain dict of all functions is counted up in the least time.
        self.succeeded: dict[str, int] = dict.fromkeys(enums.FUNCTIONS, 0)

    def function_of(self, name: str) -> Callable[[Memory | None], WitxFunction]:
        """Return what returns a function of an instance, which is identified by its memory."""
        return lambda memory: self._face(memory).function(name)

    def cancel(self) -> None:
        """Ask a running inference to stop; called from another thread."""
        for face in tuple(self._faces.values()):
            face.cancel()

    def close(self) -> None:
        """Release the instances' graphs and contexts."""
        for face in self._faces.values():
            face.close()
        self._faces.clear()

    def _face(self, memory: Memory | None) -> Witx:
        face = self._faces.get(memory)
        if face is None:
            face = self._faces[memory] = self._new_face(self)
        return face


def _ignore(_message: str) -> None:
    pass


def _made(folder: Path | None) -> Path | None:
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PipelineError(
                Code.USAGE,
                "Cannot create the folder for compiled models.",
                where=f"`model_cache` {folder}",
                found=error.strerror or str(error),
            ) from None
    return folder
