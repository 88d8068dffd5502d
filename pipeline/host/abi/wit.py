"""The wasi-nn functions of a component: values and resources over a session.

How values cross is not decided here: a function takes and returns what wit_types.py says. The
resources of a guest are numbers; graphs and contexts are the session's handles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.host.abi.wit_types import (
    CONTEXT,
    ELEMENTS,
    ERROR,
    FUNCTIONS,
    GRAPH,
    TARGET,
    TENSOR,
    Borrow,
    ErrorReturn,
    Own,
    WitType,
)
from pipeline.host.model_types import GIVEN_AS_U8, Encoding
from pipeline.host.session.error import Cause, GuestTrap, WasiNnError, cause_of, refuse_argument
from pipeline.host.session.handles import Handles
from pipeline.host.session.session import Context, Session
from pipeline.host.session.tensor_check import shape_text

# What a tensor or error costs besides its data, so that empty ones have a limit too.
OVERHEAD = 1024
_MOST = 1 << 32
_LONGEST_NAME, _LONGEST_DATA = 4096, 4096
_TYPE_NAMES = {element: name for name, element in ELEMENTS.items()}

# Takes the values of its parameters; returns the value of its result, or a ErrorReturn.
WitFunction = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class TensorResource:
    """A tensor of the guest; whether it fits an input is found at compute."""

    dims: tuple[int, ...]
    element: str
    data: bytes

    @property
    def size(self) -> int:
        """The bytes that it counts for."""
        return len(self.data) + 4 * len(self.dims) + OVERHEAD


@dataclass(frozen=True, slots=True)
class ErrorResource:
    """An error of the guest: why a call failed."""

    code: str
    data: str

    @property
    def size(self) -> int:
        """The bytes that it counts for."""
        return len(self.data) + OVERHEAD


class Wit:
    """The functions and resources of a guest, over its session.

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
    ) -> None:
        self._session = session
        self._on_message = on_message
        self._succeeded = succeeded
        self._trace = trace
        self._about = ""
        self.tensors: Handles[TensorResource] = Handles("tensor", _MOST)
        self.errors: Handles[ErrorResource] = Handles("error", _MOST)
        self._functions: Mapping[str, WitFunction] = {
            "tensor.constructor": self._tensor,
            "tensor.dimensions": lambda tensor: self.tensors.get(tensor).dims,
            "tensor.ty": lambda tensor: _TYPE_NAMES[self.tensors.get(tensor).element],
            "tensor.data": lambda tensor: self.tensors.get(tensor).data,
            "load": self._load,
            "load-by-name": self._load_by_name,
            "init-execution-context": self._session.init_context,
            "compute": self._compute,
            "error.code": lambda error: self.errors.get(error).code,
            "error.data": lambda error: self.errors.get(error).data,
        }
        self._drops: Mapping[str, Callable[[int], None]] = {
            TENSOR: lambda number: self._session.let_go(self.tensors.remove(number).size),
            GRAPH: self._session.drop_graph,
            CONTEXT: self._session.finalize,
            ERROR: lambda number: self._session.let_go(self.errors.remove(number).size),
        }

    def function(self, name: str) -> WitFunction:
        """Return the function of a name; it raises GuestTrap where it has no error to return."""
        implementation, succeeded = self._functions[name], self._succeeded
        fails = name in ("load", "load-by-name", "init-execution-context", "compute")

        def serve(*values: Any) -> Any:
            try:
                result = implementation(*values)
            except Exception as error:
                cause, message = cause_of(error)
                self._on_message(f"{name}: {message} ({cause.value})")
                if not fails:
                    raise GuestTrap(message) from None
                return ErrorReturn(self._error(cause, message))
            succeeded[name] += 1
            return result

        return serve if self._trace is None else self._traced(name, serve, self._trace)

    def drop(self, resource: str, number: int) -> None:
        """Release a resource; raises WasiNnError if there is no such one."""
        self._drops[resource](number)

    @property
    def held(self) -> int:
        """The number of the guest's resources."""
        session = self._session
        each = (session.graphs, session.contexts, self.tensors, self.errors)
        return sum(len(handles.by_handle) for handles in each)

    def cancel(self) -> None:
        """Ask a running inference to stop; called from another thread."""
        self._session.cancel()

    def close(self) -> None:
        """Release all resources."""
        self._session.close()
        self.tensors.by_handle.clear()
        self.errors.by_handle.clear()

    def _traced(
        self, name: str, function: WitFunction, trace: Callable[[str], None]
    ) -> WitFunction:
        signature = FUNCTIONS[name]

        def serve(*values: Any) -> Any:
            self._about = ""
            started = time.perf_counter()
            result: Any = "trap"
            try:
                result = function(*values)
            finally:
                took = (time.perf_counter() - started) * 1000
                shown = ", ".join(
                    f"{parameter} {_shown(kind, value)}"
                    for (parameter, kind), value in zip(signature.parameters, values, strict=True)
                )
                if isinstance(result, ErrorReturn):
                    outcome = self.errors.get(result.error).code
                elif result == "trap":
                    outcome = "trap"
                else:
                    outcome = "ok"
                trace(f"{name}({shown}) = {outcome}, {took:.3f} ms{self._about}")
            return result

        return serve

    def _error(self, cause: Cause, message: str) -> int:
        error = ErrorResource(cause.value, message[:_LONGEST_DATA])
        try:
            self._session.hold(error.size)
        except WasiNnError as full:
            raise GuestTrap(full.message) from None
        return self.errors.add(error)

    def _add(self, tensor: TensorResource) -> int:
        self._session.hold(tensor.size)
        return self.tensors.add(tensor)

    def _tensor(self, dims: tuple[int, ...], kind: str, data: bytes | memoryview) -> int:
        # The guest's memory may be beyond the limit, so count before copying.
        self._session.hold(size := len(data) + 4 * len(dims) + OVERHEAD)
        try:
            return self.tensors.add(TensorResource(dims, ELEMENTS[kind], bytes(data)))
        except BaseException:
            self._session.let_go(size)
            raise

    def _load(self, builder: Sequence[bytes | memoryview], encoding: str, target: str) -> int:
        chosen = Encoding(encoding)
        if chosen is Encoding.GGML:
            raise WasiNnError(Cause.INVALID_ENCODING, "there is no backend for ggml")

        def parts(names: tuple[str, ...]) -> list[memoryview]:
            return [memoryview(each) for each in builder[: len(names)]]

        return self._session.load(chosen, TARGET.cases.index(target), len(builder), parts)

    def _load_by_name(self, name: str) -> int:
        if len(name) > _LONGEST_NAME:
            raise WasiNnError(Cause.NOT_FOUND, f"no graph has a name of {len(name)} characters")
        return self._session.load_by_name(name)

    def _compute(self, number: int, inputs: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        # The tensors are the host's from here on, whatever becomes of the call.
        given = [(name, self.tensors.remove(tensor)) for name, tensor in inputs]
        for _, tensor in given:
            self._session.let_go(tensor.size)
        context = self._session.contexts.get(number)
        placed = _by_index(context, given)
        self._check_all(context, placed)
        for index, tensor in placed.items():
            self._session.set_input(
                context, index, tensor.element, tensor.dims, memoryview(tensor.data)
            )
        self._session.compute(context)
        made = self._outputs(context)
        if self._trace:
            self._about = ": " + "; ".join(
                f"{name} {shape_text(tensor.dims)} {tensor.element}"
                for name, tensor in (*given, *made)
            )
        numbers: list[int] = []
        try:
            numbers.extend(self._add(tensor) for _, tensor in made)
        except BaseException:
            for each in numbers:
                self.drop(TENSOR, each)
            raise
        return [(name, number) for (name, _), number in zip(made, numbers, strict=True)]

    def _check_all(self, context: Context, placed: Mapping[int, TensorResource]) -> None:
        missing = [
            f"{index} ({port.name})"
            for index, port in enumerate(context.input_ports)
            if index not in placed
        ]
        if missing:
            raise refuse_argument(f"input {', '.join(missing)} is not among the inputs")

    def _outputs(self, context: Context) -> list[tuple[str, TensorResource]]:
        made = []
        for index, port in enumerate(context.output_ports):
            data = self._session.output(context, index)
            element, dims = context.execution.output_type(index)
            self._session.record_output(context, index, data)
            element = "u8" if element in GIVEN_AS_U8 else element
            if element not in _TYPE_NAMES:
                raise WasiNnError(
                    Cause.UNSUPPORTED_OPERATION,
                    f"output {index} ({port.name}) is {element}, which wasi-nn has no type for",
                )
            made.append((port.name, TensorResource(tuple(dims) or (1,), element, bytes(data))))
        return made


def _by_index(
    context: Context, given: Sequence[tuple[str, TensorResource]]
) -> dict[int, TensorResource]:
    """Return the inputs by index; a number in decimal names one that has no such name."""
    placed: dict[int, TensorResource] = {}
    for name, tensor in given:
        try:
            index = context.input_index(name)
        except WasiNnError:
            if not (name.isascii() and name.isdecimal() and len(name) < 10):
                raise
            index = int(name)
            context.input(index)
        if index in placed:
            port = context.input(index)
            raise refuse_argument(f"input {index} ({port.name}) is given twice")
        placed[index] = tensor
    return placed


def _shown(kind: WitType, value: Any) -> str:
    if isinstance(kind, (Own, Borrow)):
        return f"{kind.resource} {value}"
    if isinstance(value, (bytes, memoryview)):
        return f"{len(value)} bytes"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(kind, each) for each in value) + "]"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        return f"{value[0][:80]!r} {TENSOR} {value[1]}"
    return shape_text(value) if isinstance(value, tuple) else repr(value)[:80]
