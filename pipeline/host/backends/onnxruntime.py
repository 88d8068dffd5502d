"""ONNX Runtime backend: ONNX on the CPU, independent of OpenVINO's code."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from mmap import ACCESS_READ, mmap
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
from pipeline.host.onnx_external_data import check_file, check_parts
from pipeline.host.onnx_outline import unranked_inputs

_FATAL = 4
_ELEMENTS = {
    "tensor(float16)": "f16",
    "tensor(float)": "f32",
    "tensor(double)": "f64",
    "tensor(uint8)": "u8",
    "tensor(int32)": "i32",
    "tensor(int64)": "i64",
    "tensor(bool)": "boolean",
    "tensor(int8)": "i8",
}


class OnnxRuntime:
    """ONNX Runtime with its CPU provider; of the tuning it supports ``threads``."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def targets(self) -> Mapping[Target, str]:
        """Return the CPU, which also serves AUTO."""
        return {Target.CPU: "CPU", Target.AUTO: "CPU"}

    def load(self, _encoding: Encoding, parts: Sequence[bytearray], _device: str) -> OrtGraph:
        """Create a session from a model's bytes; raises BackendError and BackendUnavailable."""
        # A model from bytes could read weights from any file below the current folder.
        check_parts(parts[0])
        return OrtGraph(bytes(parts[0]), unranked_inputs(parts[0]), self._tuning)

    def load_files(self, _encoding: Encoding, files: Sequence[Path], _device: str) -> OrtGraph:
        """Create a session from a model file and its external data; raises BackendError."""
        check_file(files[0])
        with files[0].open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as model:
            unranked = unranked_inputs(model)
        return OrtGraph(str(files[0]), unranked, self._tuning)


class OrtGraph:
    """A session, shared by its contexts."""

    def __init__(self, model: bytes | str, unranked: Collection[str], tuning: Tuning) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendUnavailable(
                f"cannot import ONNX Runtime ({error}); run `pip install onnxruntime`"
            ) from None
        options = onnxruntime.SessionOptions()
        # Errors are reported by errno and message instead of logs.
        options.log_severity_level = _FATAL
        if tuning.threads:
            options.intra_op_num_threads = tuning.threads
        try:
            # Falling back prints to stdout, which is the guest's.
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            self.inputs = tuple(_port(each, unranked) for each in self._session.get_inputs())
            self.outputs = tuple(_port(each) for each in self._session.get_outputs())
        except Exception as error:  # ONNX Runtime's exceptions have no other base class
            raise BackendError(clean_text(error)) from None

    def context(self) -> OrtContext:
        """Return a new context."""
        return OrtContext(self._session, self.inputs)


class OrtContext:
    """Inputs and outputs of one inference at a time."""

    def __init__(self, session: Any, inputs: Sequence[GraphPort]) -> None:
        self._session = session
        self._names = [port.name for port in inputs]
        self._inputs = Arrays()
        self._outputs: list[Any] = []
        self._run: Any = None

    def input_memory(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        """Return the bytes of the input's array."""
        return self._inputs.memory(index, element, dims)

    def compute(self) -> None:
        """Run inference; raises BackendError."""
        import onnxruntime

        self._run = onnxruntime.RunOptions()
        self._run.log_severity_level = _FATAL
        given = {self._names[index]: array for index, array in self._inputs.by_index.items()}
        try:
            self._outputs = self._session.run(None, given, self._run)
        except Exception as error:  # ONNX Runtime's exceptions have no other base class
            raise BackendError(clean_text(error)) from None

    def cancel(self) -> None:
        """Stop a running inference before its next node."""
        if self._run is not None:
            self._run.terminate = True

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output; raises BackendError if it is not a tensor."""
        array = self._outputs[index]
        if not hasattr(array, "dtype"):
            raise BackendError("the output is not a tensor")
        return output_bytes(array)

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and shape of an output of the last inference."""
        array = self._outputs[index]
        return element_of(array.dtype), tuple(array.shape)


def _port(value: Any, unranked: Collection[str] = ()) -> GraphPort:
    # A fixed axis is an int, a dynamic one its name or None. An unknown rank looks like a scalar.
    dims = None
    if value.shape or value.name not in unranked:
        dims = tuple(Dim(n, n) if isinstance(n, int) else Dim(0, None) for n in value.shape)
    return GraphPort(value.name, _ELEMENTS.get(value.type, value.type), dims)


FRAMEWORK = Framework(name="onnxruntime", encodings=(Encoding.ONNX,), start=OnnxRuntime)
