"""The wasi-nn functions as called by a guest: arguments are validated before any work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.host.abi import memory
from pipeline.host.abi.enums import (
    BUILDER_SIZE,
    ENCODINGS,
    FUNCTIONS,
    Encoding,
    EncodingNumbers,
    Errno,
    Target,
    TensorTypeAbi,
    WasiNnError,
    refuse_argument,
)
from pipeline.host.abi.handles import Handles
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.tensor_record import TensorArgument, read_tensor
from pipeline.host.backend import BackendError, BackendUnavailable, ExecutionContext, Graph
from pipeline.host.backend_registry import Backends
from pipeline.host.graph_registry import GraphNames
from pipeline.host.model_formats import FORMATS, detect
from pipeline.host.tensor_recorder import TensorRecorder

_LONGEST_NAME = 4096
_SUCCESS = Errno.SUCCESS


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one guest on graphs, contexts, and bytes of models and inputs."""

    graphs: int = 4096
    contexts: int = 4096
    bytes: int = 8 << 30


@dataclass
class _Loaded:
    graph: Graph
    size: int


@dataclass
class _Context:
    graph: int
    loaded: Graph
    execution: ExecutionContext
    sizes: dict[int, int] = field(default_factory=dict)
    tensors: dict[int, TensorArgument] = field(default_factory=dict)
    computed: bool = False


class WasiNn:
    """wasi-nn for one instance, with its own handles.

    ``on_message`` receives each failed call; ``trace``, if given, each call; ``recorder`` each
    tensor.
    """

    def __init__(
        self,
        graph_names: GraphNames,
        backends: Backends,
        *,
        on_message: Callable[[str], None],
        trace: Callable[[str], None] | None = None,
        tensor_type_abi: TensorTypeAbi = 2023,
        encoding_numbers: EncodingNumbers = "wasmedge",
        limits: Limits | None = None,
        recorder: TensorRecorder | None = None,
    ) -> None:
        limits = limits or Limits()
        self._graph_names = graph_names
        self._backends = backends
        self._on_message = on_message
        self.succeeded: Counter[str] = Counter()
        self._trace = trace
        self._recorder = recorder
        # Details of a traced call that its arguments do not show.
        self._about = ""
        self._tensor_type_abi: TensorTypeAbi = tensor_type_abi
        self._encodings = ENCODINGS[encoding_numbers]
        self._most_bytes = limits.bytes
        self._bytes = 0
        self._graphs: Handles[_Loaded] = Handles("graph", limits.graphs)
        self._contexts: Handles[_Context] = Handles("context", limits.contexts)
        self._computing: ExecutionContext | None = None
        self._functions: Mapping[str, Callable[..., None]] = {
            "load": self._load,
            "load_by_name": self._load_by_name,
            "init_execution_context": self._init_execution_context,
            "set_input": self._set_input,
            "compute": self._compute,
            "get_output": self._get_output,
            "load_by_name_with_config": self._load_by_name_with_config,
            "unload": self._unload,
            "finalize_execution_context": self._finalize,
            "get_output_single": self._no_single,
            "compute_single": self._no_single,
            "fini_single": self._no_single,
        }

    def call(self, name: str, guest: Memory | None, values: Sequence[int]) -> Errno:
        """Serve one call; ``values`` are u32s. Raises nothing."""
        if self._trace is None:
            return self._serve(name, guest, values)
        self._about = ""
        started = time.perf_counter()
        errno = self._serve(name, guest, values)
        took = (time.perf_counter() - started) * 1000
        shown = ", ".join(
            f"{parameter} {value:#x}" if parameter.endswith("*") else f"{parameter} {value}"
            for parameter, value in zip(FUNCTIONS[name], values, strict=True)
        )
        self._trace(
            f"{name}({shown}) = {errno.value} {errno.name.lower()}, {took:.3f} ms{self._about}"
        )
        return errno

    def cancel(self) -> None:
        """Ask a running inference to stop; called from another thread."""
        running = self._computing
        if running is not None:
            running.cancel()

    def _serve(self, name: str, guest: Memory | None, values: Sequence[int]) -> Errno:
        try:
            if guest is None:
                raise WasiNnError(Errno.MISSING_MEMORY, "the guest exports no memory")
            self._functions[name](guest, *values)
        except Exception as error:
            errno, message = _answer(error)
            self._on_message(f"{name}: {message} (errno {errno.value}, {errno.name.lower()})")
            return errno
        self.succeeded[name] += 1
        return _SUCCESS

    def _load(
        self, guest: Memory, builders: int, count: int, number: int, target: int, out: int
    ) -> None:
        memory.check(guest, "the pointer for the graph's handle", out, 4)
        encoding = self._encoding(number)
        memory.check(guest, "the builder array", builders, BUILDER_SIZE * count)
        if encoding is Encoding.AUTODETECT:
            encoding = self._detect(guest, builders, count)
        backend = self._backends.for_guest(encoding)
        device = self._device(backend.targets(), target)
        names = FORMATS[encoding].parts
        if count != len(names):
            raise refuse_argument(
                f"a model in {encoding.value} has {len(names)} builder"
                f"{'s' if len(names) > 1 else ''} ({', '.join(names)}), got {count}"
            )
        places = self._places(guest, builders, names)
        size = sum(length for _, length in places)
        self._graphs.check_room()
        self._check_bytes(size)
        parts = [
            memory.read(guest, f"the {name}", pointer, length)
            for name, (pointer, length) in zip(names, places, strict=True)
        ]
        graph = backend.load(encoding, parts, device)
        self._bytes += size
        memory.write_u32(guest, "the graph's handle", out, self._graphs.add(_Loaded(graph, size)))

    def _load_by_name(self, guest: Memory, pointer: int, length: int, out: int) -> None:
        memory.check(guest, "the pointer for the graph's handle", out, 4)
        name = self._name(guest, pointer, length)
        if name not in self._graph_names.names:
            known = ", ".join(map(repr, self._graph_names.names)) or "none"
            raise WasiNnError(
                Errno.NOT_FOUND,
                f"no graph named {name[:80]!r}; available: {known}",
            )
        self._graphs.check_room()
        graph = self._graph_names.load(name)
        memory.write_u32(guest, "the graph's handle", out, self._graphs.add(_Loaded(graph, 0)))

    def _load_by_name_with_config(
        self, guest: Memory, pointer: int, length: int, config: int, config_length: int, out: int
    ) -> None:
        memory.check(guest, "the pointer for the graph's handle", out, 4)
        self._name(guest, pointer, length)
        memory.check(guest, "the config", config, config_length)
        text = memory.read(guest, "the config", config, min(config_length, _LONGEST_NAME))
        if bytes(text).strip() not in (b"", b"{}"):
            raise WasiNnError(
                Errno.UNSUPPORTED_OPERATION,
                "options for named graphs are not supported; the config must be empty or {}",
            )
        self._load_by_name(guest, pointer, length, out)

    def _init_execution_context(self, guest: Memory, graph: int, out: int) -> None:
        loaded = self._graphs.get(graph)
        memory.check(guest, "the pointer for the context's handle", out, 4)
        self._contexts.check_room()
        context = _Context(graph, loaded.graph, loaded.graph.context())
        memory.write_u32(guest, "the context's handle", out, self._contexts.add(context))

    def _set_input(self, guest: Memory, handle: int, index: int, pointer: int) -> None:
        context = self._contexts.get(handle)
        inputs = context.loaded.inputs
        if index >= len(inputs):
            raise refuse_argument(
                f"no input {index}; the graph has {len(inputs)}: "
                f"{', '.join(port.name for port in inputs) or 'none'}"
            )
        tensor = context.tensors.get(index)
        data = tensor.still_at(guest, pointer) if tensor else None
        if tensor is None or data is None:
            tensor = read_tensor(guest, pointer, inputs[index], index, self._tensor_type_abi)
            data = memory.view(guest, f"the data of input {index}", tensor.data, tensor.length)
        if self._trace:
            shape = "x".join(map(str, tensor.dims)) or "a scalar"
            self._about = f": {inputs[index].name}, {shape} {tensor.element.name}"
        more = tensor.length - context.sizes.get(index, 0)
        self._check_bytes(more)
        # The outputs are invalid from here on, even if the backend fails.
        context.computed = False
        context.execution.set_input(index, tensor.element.name, tensor.dims, data)
        if self._recorder:
            kind = tensor.element.name, tensor.dims
            self._recorder.record("input", (handle, index), inputs[index].name, kind, data)
        self._bytes += more
        context.sizes[index] = tensor.length
        context.tensors[index] = tensor

    def _compute(self, guest: Memory, handle: int) -> None:
        context = self._contexts.get(handle)
        if len(context.sizes) < len(context.loaded.inputs):
            missing = [
                f"{index} ({port.name})"
                for index, port in enumerate(context.loaded.inputs)
                if index not in context.sizes
            ]
            raise refuse_argument(f"input {', '.join(missing)} was never set")
        context.computed = False
        self._computing = context.execution
        try:
            context.execution.compute()
        finally:
            self._computing = None
        context.computed = True

    def _get_output(
        self, guest: Memory, handle: int, index: int, buffer: int, size: int, out: int
    ) -> None:
        context = self._contexts.get(handle)
        outputs = context.loaded.outputs
        if index >= len(outputs):
            raise refuse_argument(
                f"no output {index}; the graph has {len(outputs)}: "
                f"{', '.join(port.name for port in outputs) or 'none'}"
            )
        memory.check(guest, "the pointer for the number of bytes written", out, 4)
        memory.check(guest, "the buffer for the output", buffer, size)
        if not context.computed:
            raise WasiNnError(
                Errno.RUNTIME_ERROR,
                f"output {index} ({outputs[index].name}) has no value: no successful compute "
                "since the last set_input",
            )
        data = context.execution.output(index)
        if self._trace:
            self._about = f": {outputs[index].name}, {outputs[index].element}, {len(data)} bytes"
        if len(data) > size:
            memory.write_u32(guest, "the number of bytes needed", out, len(data))
            raise WasiNnError(
                Errno.TOO_LARGE,
                f"output {index} ({outputs[index].name}) has {len(data)} bytes, "
                f"the buffer has {size}",
            )
        memory.write(guest, "the output", buffer, data)
        memory.write_u32(guest, "the number of bytes written", out, len(data))
        if self._recorder:
            kind = context.execution.output_type(index)
            self._recorder.record("output", (handle, index), outputs[index].name, kind, data)

    def _unload(self, _guest: Memory, handle: int) -> None:
        self._bytes -= self._graphs.remove(handle).size
        for context, state in self._contexts.items():
            if state.graph == handle:
                self._end(context)

    def _finalize(self, _guest: Memory, handle: int) -> None:
        self._end(handle)

    def _no_single(self, _guest: Memory, *_arguments: int) -> None:
        raise WasiNnError(
            Errno.UNSUPPORTED_OPERATION,
            "streamed outputs are not supported; use compute and get_output",
        )

    def _end(self, handle: int) -> None:
        self._bytes -= sum(self._contexts.remove(handle).sizes.values())

    def _encoding(self, number: int) -> Encoding:
        if number >= len(self._encodings):
            known = ", ".join(f"{at} {each.value}" for at, each in enumerate(self._encodings))
            raise WasiNnError(Errno.INVALID_ENCODING, f"no encoding {number}; known: {known}")
        return self._encodings[number]

    def _device(self, devices: Mapping[Target, str], target: int) -> str:
        for each, device in devices.items():
            if each.value == target:
                return device
        asked = f" ({Target(target).name.lower()})" if target in list(Target) else ""
        known = ", ".join(
            f"{each.value} {each.name.lower()} on {devices[each]}" for each in sorted(devices)
        )
        raise refuse_argument(f"no target {target}{asked} on this machine; available: {known}")

    def _detect(self, guest: Memory, builders: int, count: int) -> Encoding:
        if count == 0:
            raise refuse_argument("no builder to detect the encoding from")
        ((pointer, length),) = self._places(guest, builders, ("first part",))
        first = memory.read(guest, "the first part", pointer, min(length, 16))
        return detect(count, bytes(first))

    def _places(self, guest: Memory, builders: int, names: Sequence[str]) -> list[tuple[int, int]]:
        numbers = memory.read_u32s(guest, "the builder array", builders, 2 * len(names))
        places = list(zip(numbers[::2], numbers[1::2], strict=True))
        for name, (pointer, length) in zip(names, places, strict=True):
            memory.check(guest, f"the {name}", pointer, length)
        return places

    def _name(self, guest: Memory, pointer: int, length: int) -> str:
        memory.check(guest, "the graph's name", pointer, length)
        if length > _LONGEST_NAME:
            raise WasiNnError(Errno.NOT_FOUND, f"no graph has a name of {length} bytes")
        data = memory.read(guest, "the graph's name", pointer, length)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise refuse_argument(f"the graph's name is not UTF-8: {bytes(data[:80])!r}") from None

    def _check_bytes(self, more: int) -> None:
        if self._bytes + more > self._most_bytes:
            raise WasiNnError(
                Errno.TOO_LARGE,
                f"{more} more bytes would exceed the guest's limit of {self._most_bytes} bytes for "
                "models and inputs",
            )


def _answer(error: Exception) -> tuple[Errno, str]:
    """Return the errno and message of a failed call."""
    if isinstance(error, WasiNnError):
        return error.errno, error.message
    if isinstance(error, BackendError):
        return Errno.RUNTIME_ERROR, str(error)
    if isinstance(error, BackendUnavailable):
        return Errno.INVALID_ENCODING, str(error)
    if isinstance(error, MemoryError):
        return Errno.TOO_LARGE, "the host is out of memory"
    # A bug in the host must not kill the guest's process.
    return Errno.RUNTIME_ERROR, f"the host failed: {type(error).__name__}: {error}"
