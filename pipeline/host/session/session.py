"""The graphs and contexts of one instance, with its limits; each ABI is a face of this.

Calls are checked before any work; a failed one changes nothing. Numbers, pointers and layouts are
the faces' own, so that inputs and outputs are found by index or by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.host.backend import ExecutionContext, Graph, GraphPort
from pipeline.host.backend_registry import Backends
from pipeline.host.graph_registry import GraphNames
from pipeline.host.model_formats import FORMATS, detect
from pipeline.host.model_types import Encoding, Target
from pipeline.host.session.error import Cause, WasiNnError, refuse_argument
from pipeline.host.session.handles import Handles
from pipeline.host.session.resident_memory import resident_bytes
from pipeline.host.session.tensor_check import as_taken, check_tensor, check_values
from pipeline.host.session.tensor_recorder import TensorRecorder

_FIRST_BYTES = 16
_TARGETS = frozenset(Target)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one guest on graphs, contexts, and bytes of models and inputs.

    By ``bytes`` the process may also grow until no more contexts are made, since the guests of most
    bindings cannot release one.
    """

    graphs: int = 4096
    contexts: int = 1 << 20
    bytes: int = 8 << 30


@dataclass(slots=True)
class Loaded:
    """A graph of the guest, and the bytes that it counts for while anything uses it.

    ``uses`` are its handle and its contexts.
    """

    graph: Graph
    size: int
    uses: int = 1


@dataclass(slots=True)
class SetInput:
    """An input that was set: its type and shape, and the memory that the backend reads.

    ``source`` is a face's note of where the tensor came from.
    """

    element: str
    dims: tuple[int, ...]
    memory: memoryview
    source: Any = None


@dataclass(slots=True)
class Context:
    """An execution context; ``computed`` says whether its outputs belong to its inputs."""

    handle: int
    graph: int
    loaded: Loaded
    execution: ExecutionContext
    input_ports: tuple[GraphPort, ...]
    output_ports: tuple[GraphPort, ...]
    inputs: dict[int, SetInput] = field(default_factory=dict)
    computed: bool = False

    def input(self, index: int) -> GraphPort:
        """Return an input by index; raises WasiNnError (invalid argument)."""
        return _port(self.input_ports, "input", index)

    def output(self, index: int) -> GraphPort:
        """Return an output by index; raises WasiNnError (invalid argument)."""
        return _port(self.output_ports, "output", index)

    def input_index(self, name: str) -> int:
        """Return the index of an input; raises WasiNnError (invalid argument)."""
        return _index(self.input_ports, "input", name)

    def output_index(self, name: str) -> int:
        """Return the index of an output; raises WasiNnError (invalid argument)."""
        return _index(self.output_ports, "output", name)


class Session:
    """Graphs and contexts by handle. All methods raise WasiNnError and a backend's errors.

    ``recorder``, if given, receives each tensor.
    """

    def __init__(
        self,
        graph_names: GraphNames,
        backends: Backends,
        *,
        limits: Limits | None = None,
        recorder: TensorRecorder | None = None,
    ) -> None:
        limits = limits or Limits()
        self._graph_names = graph_names
        self._backends = backends
        self._most_bytes = limits.bytes
        self._bytes = 0
        self._resident = resident_bytes()
        self.recorder = recorder
        self.graphs: Handles[Loaded] = Handles("graph", limits.graphs)
        self.contexts: Handles[Context] = Handles("context", limits.contexts)
        # The context that infers, for ``cancel``.
        self.computing: ExecutionContext | None = None

    def load(
        self,
        encoding: Encoding,
        target: int,
        count: int,
        parts: Callable[[tuple[str, ...]], Sequence[memoryview]],
    ) -> int:
        """Compile a model of ``count`` byte arrays and return its graph's handle.

        ``parts`` returns views of the arrays that are named to it, which are copied; it is called
        once their number is known to be right.
        """
        if encoding is Encoding.AUTODETECT:
            if count == 0:
                raise refuse_argument("no builder to detect the encoding from")
            (first,) = parts(("first part",))
            encoding = detect(count, bytes(first[:_FIRST_BYTES]))
        backend = self._backends.for_guest(encoding)
        device = _device(backend.targets(), target)
        names = FORMATS[encoding].parts
        if count != len(names):
            raise refuse_argument(
                f"a model in {encoding.value} has {len(names)} builder"
                f"{'s' if len(names) > 1 else ''} ({', '.join(names)}), got {count}"
            )
        views = parts(names)
        size = sum(map(len, views))
        self.graphs.check_room()
        self._check_bytes(size)
        graph = backend.load(encoding, [bytearray(view) for view in views], device)
        self._bytes += size
        return self.graphs.add(Loaded(graph, size))

    def load_by_name(self, name: str) -> int:
        """Return the handle of a named graph, compiled once for all guests."""
        if name not in self._graph_names.names:
            known = ", ".join(map(repr, self._graph_names.names)) or "none"
            raise WasiNnError(Cause.NOT_FOUND, f"no graph named {name[:80]!r}; available: {known}")
        self.graphs.check_room()
        return self.graphs.add(Loaded(self._graph_names.load(name), 0))

    def init_context(self, graph: int) -> int:
        """Return the handle of a new context of a graph."""
        loaded = self.graphs.get(graph)
        self.contexts.check_room()
        grown = resident_bytes() - self._resident
        if grown > self._most_bytes:
            raise WasiNnError(
                Cause.TOO_LARGE,
                f"the host has grown by {grown} bytes since the guest began, more than its limit "
                f"of {self._most_bytes} bytes, so no more contexts are made",
            )
        made = loaded.graph
        context = Context(-1, graph, loaded, made.context(), made.inputs, made.outputs)
        context.handle = self.contexts.add(context)
        loaded.uses += 1
        return context.handle

    def set_input(
        self, context: Context, index: int, element: str, dims: tuple[int, ...], data: memoryview
    ) -> SetInput:
        """Copy an input; ``data`` is one-dimensional. Returns what is kept of it."""
        port = context.input(index)
        element, dims = as_taken(port, element, dims)
        check_tensor(port, index, element, dims, len(data))
        known = context.inputs.get(index)
        if known is None or known.element != element or known.dims != dims:
            more = len(data) - (len(known.memory) if known else 0)
            self._check_bytes(more)
            # The outputs are invalid from here on, even if the backend fails.
            context.computed = False
            known = SetInput(element, dims, context.execution.input_memory(index, element, dims))
            self._bytes += more
            context.inputs[index] = known
        self.renew_input(context, index, known, data)
        return known

    def renew_input(self, context: Context, index: int, known: SetInput, data: memoryview) -> None:
        """Copy the data of an input whose type and shape are those of last time."""
        check_values(known.element, index, data)
        context.computed = False
        known.memory[:] = data
        if self.recorder:
            name, kind = context.input_ports[index].name, (known.element, known.dims)
            self.recorder.record("input", (context.handle, index), name, kind, data)

    def compute(self, context: Context) -> None:
        """Infer with the inputs that were set."""
        if len(context.inputs) < len(context.input_ports):
            missing = [
                f"{index} ({port.name})"
                for index, port in enumerate(context.input_ports)
                if index not in context.inputs
            ]
            raise refuse_argument(f"input {', '.join(missing)} was never set")
        context.computed = False
        self.computing = context.execution
        try:
            context.execution.compute()
        finally:
            self.computing = None
        context.computed = True

    def output(self, context: Context, index: int) -> memoryview:
        """Return the bytes of an output, valid until the next call of the context."""
        if not context.computed:
            raise WasiNnError(
                Cause.RUNTIME_ERROR,
                f"output {index} ({context.output(index).name}) has no value: no successful "
                "compute since the last set_input",
            )
        return context.execution.output(index)

    def record_output(self, context: Context, index: int, data: memoryview) -> None:
        """Record an output that the guest has received."""
        if self.recorder:
            name, kind = context.output_ports[index].name, context.execution.output_type(index)
            self.recorder.record("output", (context.handle, index), name, kind, data)

    def unload(self, graph: int) -> None:
        """Release a graph and its contexts."""
        self.drop_graph(graph)
        for handle, context in self.contexts.items():
            if context.graph == graph:
                self.finalize(handle)

    def drop_graph(self, graph: int) -> None:
        """Release a graph's handle; its contexts go on, and keep the graph itself."""
        self._leave(self.graphs.remove(graph))

    def finalize(self, context: int) -> None:
        """Release a context."""
        ended = self.contexts.remove(context)
        self._bytes -= sum(len(each.memory) for each in ended.inputs.values())
        self._leave(ended.loaded)

    def hold(self, size: int) -> None:
        """Count bytes that a face keeps for the guest; raises WasiNnError (too large)."""
        self._check_bytes(size)
        self._bytes += size

    def let_go(self, size: int) -> None:
        """Stop counting bytes that a face has kept."""
        self._bytes -= size

    def close(self) -> None:
        """Release all graphs and contexts."""
        self.contexts.by_handle.clear()
        self.graphs.by_handle.clear()

    def cancel(self) -> None:
        """Ask a running inference to stop; called from another thread."""
        running = self.computing
        if running is not None:
            running.cancel()

    def _leave(self, loaded: Loaded) -> None:
        loaded.uses -= 1
        if not loaded.uses:
            self._bytes -= loaded.size

    def _check_bytes(self, more: int) -> None:
        if self._bytes + more > self._most_bytes:
            raise WasiNnError(
                Cause.TOO_LARGE,
                f"{more} more bytes would exceed the guest's limit of {self._most_bytes} bytes for "
                "models and tensors",
            )


def _port(ports: Sequence[GraphPort], side: str, index: int) -> GraphPort:
    if index >= len(ports):
        raise refuse_argument(
            f"no {side} {index}; the graph has {len(ports)}: "
            f"{', '.join(port.name for port in ports) or 'none'}"
        )
    return ports[index]


def _index(ports: Sequence[GraphPort], side: str, name: str) -> int:
    for index, port in enumerate(ports):
        if port.name == name:
            return index
    raise refuse_argument(
        f"no {side} named {name[:80]!r}; the graph has {', '.join(port.name for port in ports)}"
    )


def _device(devices: Mapping[Target, str], target: int) -> str:
    if target in _TARGETS and (device := devices.get(Target(target))):
        return device
    asked = f" ({Target(target).name.lower()})" if target in _TARGETS else ""
    known = ", ".join(
        f"{each.value} {each.name.lower()} on {devices[each]}" for each in sorted(devices)
    )
    raise refuse_argument(f"no target {target}{asked} on this machine; available: {known}")
