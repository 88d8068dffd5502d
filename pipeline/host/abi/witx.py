"""The wasi-nn functions of a core module: pointers and numbers over a session.

Arguments are validated before any work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from pipeline.host.abi import memory
from pipeline.host.abi.enums import (
    BUILDER_SIZE,
    ENCODINGS,
    ERRNOS,
    FUNCTIONS,
    EncodingNumbers,
    Errno,
    TensorTypeAbi,
)
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.shortcuts import SHORTCUTS, WitxFunction
from pipeline.host.abi.tensor_record import read_tensor
from pipeline.host.model_types import Encoding
from pipeline.host.session.error import Cause, WasiNnError, cause_of, refuse_argument
from pipeline.host.session.session import Session
from pipeline.host.session.tensor_check import shape_text

_LONGEST_NAME = 4096


class Witx:
    """The functions of one instance, over its session.

    ``on_message`` receives each failed call; ``trace``, if given, each call. ``succeeded`` counts
    the successful calls by function.
    """

    def __init__(
        self,
        session: Session,
        *,
        on_message: Callable[[str], None],
        succeeded: dict[str, int],
        trace: Callable[[str], None] | None = None,
        tensor_type_abi: TensorTypeAbi = 2023,
        encoding_numbers: EncodingNumbers = "wasmedge",
    ) -> None:
        self._session = session
        self._contexts = session.contexts
        self._on_message = on_message
        self._succeeded = succeeded
        self._trace = trace
        # Details of a traced call that its arguments do not show.
        self._about = ""
        self._tensor_type_abi: TensorTypeAbi = tensor_type_abi
        self._encodings = ENCODINGS[encoding_numbers]
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

    def function(self, name: str) -> WitxFunction:
        """Return the function of a name."""
        implementation, succeeded = self._functions[name], self._succeeded

        def failed(error: Exception) -> int:
            cause, message = cause_of(error)
            return self._failed(name, ERRNOS[cause], message)

        def serve(guest: Memory | None, *values: int) -> int:
            if guest is None:
                return self._failed(name, Errno.MISSING_MEMORY, "the guest exports no memory")
            try:
                implementation(guest, *values)
            except Exception as error:
                return failed(error)
            succeeded[name] += 1
            return 0

        if self._trace is not None:
            return self._traced(name, serve, self._trace)
        if name in SHORTCUTS:
            return SHORTCUTS[name](self._session, succeeded, serve, failed)
        return serve

    def cancel(self) -> None:
        """Ask a running inference to stop; called from another thread."""
        self._session.cancel()

    def close(self) -> None:
        """Release all graphs and contexts."""
        self._session.close()

    def _failed(self, name: str, errno: Errno, message: str) -> int:
        self._on_message(f"{name}: {message} (errno {errno.value}, {errno.name.lower()})")
        return errno.value

    def _traced(
        self, name: str, function: WitxFunction, trace: Callable[[str], None]
    ) -> WitxFunction:
        def serve(guest: Memory | None, *values: int) -> int:
            self._about = ""
            started = time.perf_counter()
            errno = Errno(function(guest, *values))
            took = (time.perf_counter() - started) * 1000
            shown = ", ".join(
                f"{parameter} {value:#x}" if parameter.endswith("*") else f"{parameter} {value}"
                for parameter, value in zip(FUNCTIONS[name], values, strict=True)
            )
            trace(
                f"{name}({shown}) = {errno.value} {errno.name.lower()}, {took:.3f} ms{self._about}"
            )
            return errno.value

        return serve

    def _load(
        self, guest: Memory, builders: int, count: int, number: int, target: int, out: int
    ) -> None:
        whole = guest.data()
        memory.check(whole, "the pointer for the graph's handle", out, 4)
        encoding = self._encoding(number)
        if encoding is Encoding.GGML:
            raise WasiNnError(Cause.INVALID_ENCODING, _no_ggml(number))
        memory.check(whole, "the builder array", builders, BUILDER_SIZE * count)

        def parts(names: tuple[str, ...]) -> list[memoryview]:
            numbers = memory.read_u32s(whole, "the builder array", builders, 2 * len(names))
            places = zip(names, numbers[::2], numbers[1::2], strict=True)
            return [memory.view(whole, f"the {name}", at, length) for name, at, length in places]

        handle = self._session.load(encoding, target, count, parts)
        memory.write_u32(whole, "the graph's handle", out, handle)

    def _load_by_name(self, guest: Memory, pointer: int, length: int, out: int) -> None:
        whole = guest.data()
        memory.check(whole, "the pointer for the graph's handle", out, 4)
        handle = self._session.load_by_name(_name(whole, pointer, length))
        memory.write_u32(whole, "the graph's handle", out, handle)

    def _load_by_name_with_config(
        self, guest: Memory, pointer: int, length: int, config: int, config_length: int, out: int
    ) -> None:
        whole = guest.data()
        memory.check(whole, "the pointer for the graph's handle", out, 4)
        _name(whole, pointer, length)
        memory.check(whole, "the config", config, config_length)
        text = memory.read(whole, "the config", config, min(config_length, _LONGEST_NAME))
        if text.strip() not in (b"", b"{}"):
            raise WasiNnError(
                Cause.UNSUPPORTED_OPERATION,
                "options for named graphs are not supported; the config must be empty or {}",
            )
        self._load_by_name(guest, pointer, length, out)

    def _init_execution_context(self, guest: Memory, graph: int, out: int) -> None:
        whole = guest.data()
        self._session.graphs.get(graph)
        memory.check(whole, "the pointer for the context's handle", out, 4)
        handle = self._session.init_context(graph)
        memory.write_u32(whole, "the context's handle", out, handle)

    def _set_input(self, guest: Memory, handle: int, index: int, pointer: int) -> None:
        context = self._contexts.get(handle)
        whole = guest.data()
        tensor = read_tensor(whole, pointer, context.input(index), index, self._tensor_type_abi)
        known = self._session.set_input(
            context, index, tensor.element, tensor.dims, whole[tensor.data_at]
        )
        known.source = tensor
        if self._trace:
            name = context.input_ports[index].name
            self._about = f": {name}, {shape_text(tensor.dims)} {tensor.element}"

    def _compute(self, _guest: Memory, handle: int) -> None:
        self._session.compute(self._contexts.get(handle))

    def _get_output(
        self, guest: Memory, handle: int, index: int, buffer: int, size: int, out: int
    ) -> None:
        context = self._contexts.get(handle)
        port = context.output(index)
        whole = guest.data()
        memory.check(whole, "the pointer for the number of bytes written", out, 4)
        memory.check(whole, "the buffer for the output", buffer, size)
        data = self._session.output(context, index)
        length = len(data)
        if self._trace:
            self._about = f": {port.name}, {port.element}, {length} bytes"
        if length > size:
            memory.write_u32(whole, "the number of bytes needed", out, length)
            raise WasiNnError(
                Cause.TOO_LARGE,
                f"output {index} ({port.name}) has {length} bytes, the buffer has {size}",
            )
        whole[buffer : buffer + length] = data
        whole[out : out + 4] = length.to_bytes(4, "little")
        self._session.record_output(context, index, data)

    def _unload(self, _guest: Memory, handle: int) -> None:
        self._session.unload(handle)

    def _finalize(self, _guest: Memory, handle: int) -> None:
        self._session.finalize(handle)

    def _no_single(self, _guest: Memory, *_arguments: int) -> None:
        raise WasiNnError(
            Cause.UNSUPPORTED_OPERATION,
            "streamed outputs are not supported; use compute and get_output",
        )

    def _encoding(self, number: int) -> Encoding:
        if number >= len(self._encodings):
            known = ", ".join(f"{at} {each.value}" for at, each in enumerate(self._encodings))
            raise WasiNnError(Cause.INVALID_ENCODING, f"no encoding {number}; known: {known}")
        return self._encodings[number]


def _no_ggml(number: int) -> str:
    """Return why ggml is refused, and in whose numbering the number means another encoding."""
    others = [
        numbers
        for numbers, encodings in ENCODINGS.items()
        if encodings[number] is Encoding.AUTODETECT
    ]
    return (
        f"there is no backend for ggml, encoding {number}; it is autodetect with "
        f"`encoding_numbers` {others[0]}"
    )


def _name(whole: memoryview, pointer: int, length: int) -> str:
    memory.check(whole, "the graph's name", pointer, length)
    if length > _LONGEST_NAME:
        raise WasiNnError(Cause.NOT_FOUND, f"no graph has a name of {length} bytes")
    data = memory.read(whole, "the graph's name", pointer, length)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise refuse_argument(f"the graph's name is not UTF-8: {data[:80]!r}") from None
