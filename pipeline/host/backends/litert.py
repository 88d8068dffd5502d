"""LiteRT as a backend: TFLite on the CPU, by code that is independent of OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.host.abi import Encoding, Target
from pipeline.host.arrays import Arrays, element_of, output_bytes
from pipeline.host.backend import BackendFailure, Dim, Framework, Missing, Port, Tuning
from pipeline.host.words import own_words

# What LiteRT raises: ValueError for a model, RuntimeError for an inference.
_FAILURES = (ValueError, RuntimeError, MemoryError, TypeError)


class LiteRT:
    """LiteRT of ai-edge-litert; of the tuning it has the number of threads."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def targets(self) -> Mapping[Target, str]:
        """Return the CPU, which auto means too."""
        return {Target.CPU: "CPU", Target.AUTO: "CPU"}

    def load(self, _encoding: Encoding, parts: Sequence[bytearray], _device: str) -> LiteGraph:
        """Read a model's bytes; raises BackendFailure and Missing."""
        if not parts[0]:
            raise BackendFailure("these bytes are no TFLite model: there are none")
        return LiteGraph({"model_content": bytes(parts[0])}, self._tuning)

    def load_files(self, _encoding: Encoding, files: Sequence[Path], _device: str) -> LiteGraph:
        """Map a model's file into memory; raises BackendFailure and Missing."""
        return LiteGraph({"model_path": str(files[0])}, self._tuning)


class LiteGraph:
    """A model, and what its contexts are made with: LiteRT has no graph apart from them."""

    def __init__(self, model: Mapping[str, Any], tuning: Tuning) -> None:
        self._made_with = {**model, "num_threads": tuning.threads}
        first = _interpreter(self._made_with)
        try:
            self.inputs = tuple(_port(each) for each in first.get_input_details())
            self.outputs = tuple(_port(each) for each in first.get_output_details())
        except _FAILURES as error:  # a name that is no text
            raise BackendFailure(own_words(error)) from None

    def context(self) -> LiteContext:
        """Return a context of its own; raises BackendFailure."""
        return LiteContext(_interpreter(self._made_with))


class LiteContext:
    """One interpreter."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._given = [each["index"] for each in interpreter.get_input_details()]
        self._made = [each["index"] for each in interpreter.get_output_details()]
        self._inputs = Arrays()
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._outputs: dict[int, Any] = {}

    def set_input(self, index: int, element: str, dims: Sequence[int], data: memoryview) -> None:
        """Copy the bytes into an array of the input's own."""
        self._inputs.set(index, element, dims, data)

    def compute(self) -> None:
        """Infer; raises BackendFailure."""
        try:
            shapes = {index: each.shape for index, each in self._inputs.by_index.items()}
            if shapes != self._shapes:
                for index, shape in shapes.items():
                    self._interpreter.resize_tensor_input(self._given[index], shape, strict=False)
                self._interpreter.allocate_tensors()
                self._shapes = shapes
            for index, array in self._inputs.by_index.items():
                self._interpreter.set_tensor(self._given[index], array)
            self._interpreter.invoke()
        except _FAILURES as error:
            self._shapes = {}
            raise BackendFailure(own_words(error)) from None
        self._outputs = {}

    def cancel(self) -> None:
        """Do nothing: LiteRT has no way to end an inference, so its process is ended instead."""

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output; raises BackendFailure."""
        return output_bytes(self._output(index))

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and axes of an output as the last inference made it."""
        array = self._output(index)
        return element_of(array.dtype), tuple(array.shape)

    def _output(self, index: int) -> Any:
        if index not in self._outputs:
            try:
                self._outputs[index] = self._interpreter.get_tensor(self._made[index])
            except _FAILURES as error:
                raise BackendFailure(own_words(error)) from None
        return self._outputs[index]


def _interpreter(made_with: Mapping[str, Any]) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise Missing(
            f"LiteRT cannot be imported ({error}); `pip install ai-edge-litert`"
        ) from None
    try:
        interpreter = Interpreter(**made_with)
        interpreter.allocate_tensors()
    except _FAILURES as error:
        raise BackendFailure(own_words(error)) from None
    return interpreter


def _port(detail: Mapping[str, Any]) -> Port:
    # An axis of the signature is -1 where any size fits.
    dims = tuple(
        Dim(0, None) if size < 0 else Dim(int(size), int(size))
        for size in detail["shape_signature"]
    )
    return Port(detail["name"], element_of(detail["dtype"]), dims)


FRAMEWORK = Framework(name="litert", encodings=(Encoding.TENSORFLOWLITE,), start=LiteRT)
