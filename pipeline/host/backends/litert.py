"""LiteRT backend: TFLite on the CPU, independent of OpenVINO's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.host.arrays import Arrays, element_of, output_bytes
from pipeline.host.backend import (
    BackendError,
    BackendUnavailable,
    Dim,
    Framework,
    GraphPort,
    Tuning,
)
from pipeline.host.clean_text import clean_text
from pipeline.host.model_types import Encoding, Target

# LiteRT raises ValueError for a model, RuntimeError for an inference.
_FAILURES = (ValueError, RuntimeError, MemoryError, TypeError)


class LiteRT:
    """The runtime of ai-edge-litert; of the tuning it supports ``threads``."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def targets(self) -> Mapping[Target, str]:
        """Return the CPU, which also serves AUTO."""
        return {Target.CPU: "CPU", Target.AUTO: "CPU"}

    def load(self, _encoding: Encoding, parts: Sequence[bytearray], _device: str) -> LiteGraph:
        """Load a model from its bytes; raises BackendError and BackendUnavailable."""
        if not parts[0]:
            raise BackendError("not a TFLite model: empty")
        return LiteGraph({"model_content": bytes(parts[0])}, self._tuning)

    def load_files(self, _encoding: Encoding, files: Sequence[Path], _device: str) -> LiteGraph:
        """Map a model file into memory; raises BackendError and BackendUnavailable."""
        return LiteGraph({"model_path": str(files[0])}, self._tuning)


class LiteGraph:
    """A model and the options of its interpreters: LiteRT does not share a graph between them."""

    def __init__(self, model: Mapping[str, Any], tuning: Tuning) -> None:
        self._made_with = {**model, "num_threads": tuning.threads}
        first = _interpreter(self._made_with)
        try:
            self.inputs = tuple(_port(each) for each in first.get_input_details())
            self.outputs = tuple(_port(each) for each in first.get_output_details())
        except _FAILURES as error:  # a name is not UTF-8
            raise BackendError(clean_text(error)) from None

    def context(self) -> LiteContext:
        """Return a new context; raises BackendError."""
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

    def input_memory(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        """Return the bytes of the input's array."""
        return self._inputs.memory(index, element, dims)

    def compute(self) -> None:
        """Run inference; raises BackendError."""
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
            raise BackendError(clean_text(error)) from None
        self._outputs = {}

    def cancel(self) -> None:
        """Do nothing: LiteRT cannot cancel an inference, so the process is killed instead."""

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output; raises BackendError."""
        return output_bytes(self._output(index))

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and shape of an output of the last inference."""
        array = self._output(index)
        return element_of(array.dtype), tuple(array.shape)

    def _output(self, index: int) -> Any:
        if index not in self._outputs:
            try:
                self._outputs[index] = self._interpreter.get_tensor(self._made[index])
            except _FAILURES as error:
                raise BackendError(clean_text(error)) from None
        return self._outputs[index]


def _interpreter(made_with: Mapping[str, Any]) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise BackendUnavailable(
            f"cannot import LiteRT ({error}); run `pip install ai-edge-litert`"
        ) from None
    try:
        interpreter = Interpreter(**made_with)
        interpreter.allocate_tensors()
    except _FAILURES as error:
        raise BackendError(clean_text(error)) from None
    return interpreter


def _port(detail: Mapping[str, Any]) -> GraphPort:
    # A dynamic axis of the signature is -1.
    dims = tuple(
        Dim(0, None) if size < 0 else Dim(int(size), int(size))
        for size in detail["shape_signature"]
    )
    return GraphPort(detail["name"], element_of(detail["dtype"]), dims)


FRAMEWORK = Framework(name="litert", encodings=(Encoding.TENSORFLOWLITE,), start=LiteRT)
