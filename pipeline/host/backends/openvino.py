"""OpenVINO as a backend: IR, ONNX, TensorFlow and TensorFlow Lite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.host.abi import Encoding, Errno, Refusal, Target
from pipeline.host.backend import Port

# Some CPUs infer f32 models in bf16 unless told.
_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32"}
# How protobuf writes the key "location", which names a file of the host that holds the data.
_EXTERNAL_DATA = b"\x0a\x08location"
_TFLITE = b"TFL3"


class OpenVino:
    """Loads with one Core; devices are those that OpenVINO really reports."""

    def __init__(self) -> None:
        import openvino

        self._core: Any = openvino.Core()

    def load(self, parts: Sequence[bytearray], encoding: Encoding, target: Target) -> _Graph:
        """Load a graph from bytes; see Backend."""
        device = self._device(target)
        if encoding is Encoding.AUTODETECT:
            encoding = _detect(parts)
        if encoding is Encoding.PYTORCH:
            raise Refusal(
                Errno.INVALID_ENCODING,
                "there is no backend for pytorch here; convert the model to OpenVINO IR first",
            )
        count = 2 if encoding is Encoding.OPENVINO else 1
        if len(parts) != count:
            raise Refusal(
                Errno.INVALID_ARGUMENT,
                f"a graph of encoding {encoding.name.lower()} has {count} builders, "
                f"not {len(parts)}",
            )
        if encoding is Encoding.ONNX and _EXTERNAL_DATA in parts[0]:
            raise Refusal(
                Errno.RUNTIME_ERROR, "the ONNX model keeps data in other files, which stay closed"
            )
        # The model shares the bytes of its weights, so they live as long as it does.
        return self._compile(lambda: self._read(parts, encoding), device, keep=parts)

    def load_files(self, files: Sequence[Path], target: Target) -> _Graph:
        """Load a graph from files; OpenVINO maps the weights into memory."""
        device = self._device(target)
        return self._compile(lambda: self._core.read_model(*map(str, files)), device)

    def _read(self, parts: Sequence[bytearray], encoding: Encoding) -> Any:
        import numpy
        import openvino

        if encoding is not Encoding.OPENVINO:
            return self._core.read_model(bytes(parts[0]), b"")
        xml = parts[0].decode()
        if not xml.lstrip("\ufeff \t\r\n").startswith("<"):
            raise ValueError("the first builder is not xml")
        if not parts[1]:
            return self._core.read_model(xml, openvino.Tensor())
        weights = numpy.frombuffer(parts[1], numpy.uint8)
        return self._core.read_model(xml, openvino.Tensor(weights, shared_memory=True))

    def _compile(self, read: Any, device: str, keep: Sequence[bytearray] = ()) -> _Graph:
        try:
            model = read()
            return _Graph(self._core.compile_model(model, device, _PROPERTIES), model, keep)
        except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
            raise Refusal(
                Errno.RUNTIME_ERROR, f"OpenVINO cannot load the graph: {_last(error)}"
            ) from None

    def _device(self, target: Target) -> str:
        devices: list[str] = self._core.available_devices
        wanted = {Target.CPU: "CPU", Target.GPU: "GPU", Target.TPU: "NPU", Target.AUTO: "CPU"}
        name = wanted[target]
        if target is Target.AUTO and len(devices) > 1:
            return "AUTO"
        if not any(device.partition(".")[0] == name for device in devices):
            raise Refusal(
                Errno.INVALID_ARGUMENT,
                f"there is no device for target {target.name.lower()}; "
                f"OpenVINO reports {', '.join(devices)}",
            )
        return name


class _Graph:
    """A compiled model, and whatever must not be freed before it."""

    def __init__(self, compiled: Any, *kept: object) -> None:
        self._compiled = compiled
        self._kept = kept
        self.inputs = tuple(_port(port) for port in compiled.inputs)
        self.outputs = tuple(_port(port) for port in compiled.outputs)

    def request(self) -> _Request:
        return _Request(self._compiled.create_infer_request(), self._compiled)


class _Request:
    """An infer request; it keeps the arrays that its input tensors share."""

    def __init__(self, request: Any, compiled: Any) -> None:
        self._request = request
        self._dtypes = [port.element_type.to_dtype() for port in compiled.inputs]
        self._arrays: dict[int, Any] = {}

    def set_input(self, index: int, dims: tuple[int, ...], data: bytearray) -> None:
        import numpy
        import openvino

        array = numpy.frombuffer(data, self._dtypes[index]).reshape(dims)
        self._request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))
        self._arrays[index] = array

    def compute(self) -> None:
        try:
            self._request.infer()
        except RuntimeError as error:
            raise Refusal(Errno.RUNTIME_ERROR, f"the inference failed: {_last(error)}") from None

    def output(self, index: int) -> bytes:
        data: bytes = self._request.get_output_tensor(index).data.tobytes()
        return data


def _port(port: Any) -> Port:
    shape = port.partial_shape
    axes = (
        tuple(None if axis.is_dynamic else axis.get_length() for axis in shape)
        if shape.rank.is_static
        else None
    )
    names = sorted(port.names)
    return Port(
        name=names[0] if names else port.node.friendly_name,
        type=port.element_type.get_type_name(),
        shape=axes,
    )


def _detect(parts: Sequence[bytearray]) -> Encoding:
    if len(parts) == 2:
        return Encoding.OPENVINO
    return Encoding.TENSORFLOWLITE if parts and parts[0][4:8] == _TFLITE else Encoding.ONNX


def _last(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
