"""The functions of wasi-nn over one instance's handles.

Everything about a call is checked before any work: a refused call consumes no handle and writes
nothing. Handles count up from 0 and are never used again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count

from pipeline.host.abi import ELEMENT_BYTES, TYPES, Encoding, Errno, Refusal, Target
from pipeline.host.backend import Backend, Graph, Port, Request
from pipeline.host.graphs import NamedGraphs
from pipeline.host.memory import GuestMemory

# Only a runaway meets these.
MAX_GRAPHS = 1_000
MAX_CONTEXTS = 10_000
MAX_BYTES = 8 * 2**30


@dataclass
class _Context:
    """An execution context: its inferences, which inputs were set, and whether outputs hold."""

    graph: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    request: Request
    sizes: dict[int, int] = field(default_factory=dict)
    computed: bool = False


class Functions:
    """wasi-nn for one instance; each method is one function and raises Refusal for its errno."""

    def __init__(self, backend: Backend, named: NamedGraphs, tensor_type_abi: int) -> None:
        self._backend = backend
        self._named = named
        self._abi = tensor_type_abi
        self._graphs: dict[int, tuple[Graph, int]] = {}
        self._contexts: dict[int, _Context] = {}
        self._graph_handles = count()
        self._context_handles = count()

    def load(
        self, memory: GuestMemory, array: int, length: int, encoding: int, target: int, out: int
    ) -> None:
        """Load a graph from the guest's bytes."""
        memory.check(out, 4, "the graph's out-pointer")
        if encoding not in list(Encoding):
            raise Refusal(Errno.INVALID_ENCODING, f"there is no encoding {encoding}")
        chosen = _target(target)
        parts = memory.builders(array, length)
        size = sum(map(len, parts))
        self._check_room(size)
        graph = self._backend.load(parts, Encoding(encoding), chosen)
        memory.write_u32(out, self._keep(graph, size), "the graph's out-pointer")

    def load_by_name(self, memory: GuestMemory, name: int, length: int, out: int) -> None:
        """Load a graph that the host's user has named."""
        memory.check(out, 4, "the graph's out-pointer")
        text = memory.text(name, length, "the name")
        self._check_room(0)
        graph = self._named.load(text, Target.AUTO)
        memory.write_u32(out, self._keep(graph, 0), "the graph's out-pointer")

    def load_by_name_with_config(
        self, memory: GuestMemory, name: int, length: int, config: int, config_length: int, out: int
    ) -> None:
        """Load a named graph; a config is a matter of other backends and must only be text."""
        memory.check(out, 4, "the graph's out-pointer")
        memory.text(config, config_length, "the config")
        self.load_by_name(memory, name, length, out)

    def init_execution_context(self, memory: GuestMemory, graph: int, out: int) -> None:
        """Begin a stream of inferences on a graph."""
        memory.check(out, 4, "the context's out-pointer")
        loaded, _ = self._graph(graph)
        if len(self._contexts) >= MAX_CONTEXTS:
            raise Refusal(Errno.TOO_LARGE, f"there are {MAX_CONTEXTS} execution contexts already")
        handle = next(self._context_handles)
        self._contexts[handle] = _Context(graph, loaded.inputs, loaded.outputs, loaded.request())
        memory.write_u32(out, handle, "the context's out-pointer")

    def set_input(self, memory: GuestMemory, context: int, index: int, tensor: int) -> None:
        """Copy a tensor to an input; what was computed before no longer holds."""
        found = self._context(context)
        dims, number, data = memory.tensor(tensor)
        port = _at(found.inputs, index, "input")
        kind = self._type(number, port, dims, len(data))
        if not port.takes(dims) or 0 in dims:
            raise Refusal(
                Errno.INVALID_ARGUMENT,
                f"input {port.name} has shape {port.shown()}, not {_shown(dims)}",
            )
        if kind != port.type:
            raise Refusal(
                Errno.INVALID_ARGUMENT,
                f"input {port.name} has elements of type {port.type}, not {kind}",
            )
        self._check_room(len(data) - found.sizes.get(index, 0))
        found.computed = False
        found.request.set_input(index, dims, data)
        found.sizes[index] = len(data)

    def compute(self, memory: GuestMemory, context: int) -> None:
        """Infer."""
        found = self._context(context)
        missing = [port.name for i, port in enumerate(found.inputs) if i not in found.sizes]
        if missing:
            raise Refusal(
                Errno.INVALID_ARGUMENT, f"these inputs were never set: {', '.join(missing)}"
            )
        found.computed = False
        found.request.compute()
        found.computed = True

    def get_output(
        self, memory: GuestMemory, context: int, index: int, buffer: int, size: int, written: int
    ) -> None:
        """Copy an output to the guest; a buffer too small gets 7 and the size that is needed."""
        size &= 0xFFFFFFFF
        found = self._context(context)
        port = _at(found.outputs, index, "output")
        memory.check(buffer, size, "the output buffer")
        memory.check(written, 4, "the pointer for the bytes written")
        if not found.computed:
            raise Refusal(
                Errno.RUNTIME_ERROR, f"output {port.name} is read before its inputs were computed"
            )
        data = found.request.output(index)
        memory.write_u32(written, len(data), "the pointer for the bytes written")
        if len(data) > size:
            raise Refusal(
                Errno.TOO_LARGE, f"output {port.name} has {len(data)} bytes, the buffer {size}"
            )
        memory.write(buffer, data, "the output buffer")
        memory.write_u32(written, len(data), "the pointer for the bytes written")

    def unload(self, memory: GuestMemory, graph: int) -> None:
        """Drop a graph and its contexts."""
        self._graph(graph)
        del self._graphs[graph]
        for handle in [h for h, found in self._contexts.items() if found.graph == graph]:
            del self._contexts[handle]

    def finalize_execution_context(self, memory: GuestMemory, context: int) -> None:
        """Drop a context."""
        self._context(context)
        del self._contexts[context]

    def get_output_single(
        self, memory: GuestMemory, context: int, index: int, buffer: int, size: int, written: int
    ) -> None:
        """Refuse: single steps are a matter of token streams."""
        self._refuse_single(context)

    def compute_single(self, memory: GuestMemory, context: int) -> None:
        """Refuse: single steps are a matter of token streams."""
        self._refuse_single(context)

    def fini_single(self, memory: GuestMemory, context: int) -> None:
        """Refuse: single steps are a matter of token streams."""
        self._refuse_single(context)

    def _refuse_single(self, context: int) -> None:
        raise Refusal(
            Errno.UNSUPPORTED_OPERATION, "OpenVINO infers in one step, not token by token"
        )

    def _keep(self, graph: Graph, size: int) -> int:
        handle = next(self._graph_handles)
        self._graphs[handle] = (graph, size)
        return handle

    def _graph(self, handle: int) -> tuple[Graph, int]:
        if handle not in self._graphs:
            raise Refusal(Errno.INVALID_ARGUMENT, f"there is no graph {handle & 0xFFFFFFFF}")
        return self._graphs[handle]

    def _context(self, handle: int) -> _Context:
        if handle not in self._contexts:
            raise Refusal(
                Errno.INVALID_ARGUMENT, f"there is no execution context {handle & 0xFFFFFFFF}"
            )
        return self._contexts[handle]

    def _check_room(self, more: int) -> None:
        if len(self._graphs) >= MAX_GRAPHS:
            raise Refusal(Errno.TOO_LARGE, f"there are {MAX_GRAPHS} graphs already")
        held = sum(size for _, size in self._graphs.values())
        held += sum(size for found in self._contexts.values() for size in found.sizes.values())
        if held + more > MAX_BYTES:
            raise Refusal(Errno.TOO_LARGE, f"the host would hold more than {MAX_BYTES} bytes")

    def _type(self, number: int, port: Port, dims: tuple[int, ...], size: int) -> str:
        types = TYPES[self._abi]
        count = math.prod(dims)
        kind = types.get(number)
        if kind is not None and count * ELEMENT_BYTES[kind] == size:
            return kind
        what = f"input {port.name} of dims {_shown(dims)}"
        other = 2022 if self._abi == 2023 else 2023
        meant = TYPES[other].get(number)
        hint = ""
        if meant is not None and count * ELEMENT_BYTES[meant] == size:
            hint = f"; it fits {meant}, which is {number} in the numbering of {other}"
            hint += f" (--tensor-type-abi {other})"
        if kind is None:
            raise Refusal(Errno.INVALID_ARGUMENT, f"{what}: there is no type {number}{hint}")
        expected = count * ELEMENT_BYTES[kind]
        raise Refusal(
            Errno.INVALID_ARGUMENT, f"{what} has {size} bytes, not the {expected} of {kind}{hint}"
        )


def _target(number: int) -> Target:
    if number not in list(Target):
        raise Refusal(Errno.INVALID_ARGUMENT, f"there is no execution target {number}")
    return Target(number)


def _at(ports: tuple[Port, ...], index: int, what: str) -> Port:
    if not 0 <= index < len(ports):
        raise Refusal(
            Errno.INVALID_ARGUMENT,
            f"there is no {what} {index & 0xFFFFFFFF}; the graph has {len(ports)}",
        )
    return ports[index]


def _shown(dims: tuple[int, ...]) -> str:
    return "x".join(map(str, dims))
