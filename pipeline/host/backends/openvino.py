"""OpenVINO as a backend: IR, ONNX, TensorFlow frozen graphs and TFLite."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.host.abi import Encoding, Target
from pipeline.host.backend import BackendFailure, Dim, Missing, Port
from pipeline.host.backends.onnx_references import external_files

if TYPE_CHECKING:
    from openvino import Model

# Some CPUs would compute f32 models in bf16 by default.
_CONFIG = {"INFERENCE_PRECISION_HINT": "f32"}

# The types that wasi-nn has a number for, little-endian as wasm is.
_DTYPES = {"f16": "<f2", "f32": "<f4", "f64": "<f8", "u8": "u1", "i32": "<i4", "i64": "<i8"}

# OpenVINO's name of the reader, and the file name that it knows the format by.
_READERS = {
    Encoding.ONNX: ("onnx", "model.onnx"),
    Encoding.TENSORFLOW: ("tf", "model.pb"),
    Encoding.TENSORFLOWLITE: ("tflite", "model.tflite"),
}


class OpenVINO:
    """The OpenVINO runtime of this machine."""

    def targets(self) -> Mapping[Target, str]:
        """Return the devices: CPU always, which auto means too, so that outputs do not vary."""
        devices = _core().available_devices
        found = {Target.CPU: "CPU", Target.AUTO: "CPU"}
        gpus = [device for device in devices if device.startswith("GPU")]
        return {**found, Target.GPU: gpus[0]} if gpus else found

    def load(self, encoding: Encoding, parts: Sequence[bytearray], device: str) -> OpenVINOGraph:
        """Compile a model from its bytes; raises BackendFailure and Missing."""
        if encoding is Encoding.OPENVINO:
            xml, weights = parts
            return _compile(_read_ir(xml, weights), device, weights)
        if encoding is Encoding.ONNX:
            _refuse_references(parts[0])
        # From memory OpenVINO reads neither TensorFlow nor TFLite, and lets ONNX name any file of
        # the host as its weights; from a folder of its own it finds nothing but the model.
        with tempfile.TemporaryDirectory(prefix="wasi-nn-") as folder:
            path = Path(folder) / _READERS[encoding][1]
            path.write_bytes(parts[0])
            return _compile(_read_file(encoding, path), device, None)

    def load_files(self, encoding: Encoding, files: Sequence[Path], device: str) -> OpenVINOGraph:
        """Compile a model from files; raises BackendFailure and Missing.

        An IR's weights are mapped into memory: what infers with them uses them where they are.
        """
        if encoding is Encoding.OPENVINO:
            return _compile(_map_ir(*files), device, None)
        try:
            parts = [bytearray(path.read_bytes()) for path in files]
        except OSError as error:
            raise BackendFailure(f"a file of the graph cannot be read: {error}") from None
        return self.load(encoding, parts, device)


class OpenVINOGraph:
    """A compiled model, which keeps the weights that it uses in place."""

    def __init__(self, compiled: Any, weights: bytearray | None) -> None:
        self._compiled = compiled
        self._weights = weights
        self.inputs = tuple(_port(port) for port in compiled.inputs)
        self.outputs = tuple(_port(port) for port in compiled.outputs)

    def context(self) -> OpenVINOContext:
        """Return a context of its own; raises BackendFailure."""
        try:
            return OpenVINOContext(self._compiled.create_infer_request(), self.outputs)
        except RuntimeError as error:
            raise BackendFailure(_own_words(error)) from None


class OpenVINOContext:
    """One infer request."""

    def __init__(self, request: Any, outputs: Sequence[Port]) -> None:
        self._request = request
        # The bytes of each output whose size is known before; OpenVINO writes into them.
        self._outputs = {
            index: self._output_place(index, port)
            for index, port in enumerate(outputs)
            if port.element in _DTYPES
            and port.dims
            and all(0 < dim.least == dim.most for dim in port.dims)
        }
        # The bytes of each input's tensor, by index: its element type, its dims, where they are.
        self._places: dict[int, tuple[str, tuple[int, ...], Any]] = {}

    def set_input(self, index: int, element: str, dims: Sequence[int], data: memoryview) -> None:
        """Copy the bytes into the input's own tensor; raises BackendFailure."""
        # A new tensor would have OpenVINO prepare the next inference anew.
        element_now, dims_now, place = self._places.get(index, ("", (), None))
        if element_now != element or dims_now != tuple(dims):
            place = self._place(index, element, dims)
            self._places[index] = (element, tuple(dims), place)
        place[:] = data

    def _place(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        import numpy
        import openvino

        try:
            array = numpy.zeros(tuple(dims), _DTYPES[element])
            self._request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))
        except RuntimeError as error:
            raise BackendFailure(_own_words(error)) from None
        # The view keeps the array, which a tensor that shares its memory does not.
        return array.reshape(-1).view(numpy.uint8).data

    def _output_place(self, index: int, port: Port) -> memoryview:
        import numpy
        import openvino

        array = numpy.zeros([dim.least for dim in port.dims or ()], _DTYPES[port.element])
        self._request.set_output_tensor(index, openvino.Tensor(array, shared_memory=True))
        return array.reshape(-1).view(numpy.uint8).data

    def compute(self) -> None:
        """Infer; raises BackendFailure."""
        try:
            self._request.infer(share_outputs=True)
        except RuntimeError as error:
            raise BackendFailure(_own_words(error)) from None

    def cancel(self) -> None:
        """End a running inference before its next node."""
        self._request.cancel()

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output, valid until the next call; raises BackendFailure."""
        if index in self._outputs:
            return self._outputs[index]
        import numpy

        try:
            array = numpy.ascontiguousarray(self._request.get_output_tensor(index).data)
        except RuntimeError as error:
            raise BackendFailure(_own_words(error)) from None
        if array.dtype.kind in "OSU":
            raise BackendFailure("an output of text has no layout in wasi-nn")
        return array.reshape(-1).view(numpy.uint8).data


def _core() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise Missing(f"OpenVINO cannot be imported ({error}); `pip install openvino`") from None
    return openvino.Core()


def _read_ir(xml: bytearray, weights: bytearray) -> Model:
    core = _core()
    import numpy
    import openvino

    array = numpy.frombuffer(weights, numpy.uint8) if weights else numpy.empty(0, numpy.uint8)
    try:
        model: Model = core.read_model(bytes(xml), openvino.Tensor(array, shared_memory=True))
    except RuntimeError as error:
        raise BackendFailure(_own_words(error)) from None
    return model


def _map_ir(xml: Path, weights: Path) -> Model:
    core = _core()
    core.set_property({"ENABLE_MMAP": True})
    try:
        model: Model = core.read_model(str(xml), str(weights))
    except RuntimeError as error:
        raise BackendFailure(_own_words(error)) from None
    return model


def _read_file(encoding: Encoding, path: Path) -> Model:
    _core()
    from openvino.frontend import FrontEndManager

    name = _READERS[encoding][0]
    manager = FrontEndManager()
    if name not in manager.get_available_front_ends():
        raise Missing(f"this OpenVINO was built without its {name} reader; `pip install openvino`")
    # By name: OpenVINO's own guess would let a guest pass one format off as another.
    try:
        reader = manager.load_by_framework(name)
        model: Model = reader.convert(reader.load(str(path)))
    except Exception as error:  # the readers raise classes of their own
        raise BackendFailure(_own_words(error).replace(str(path.parent), "")) from None
    if not model.inputs and not model.outputs:
        raise BackendFailure(f"these bytes are no {encoding.value} model: no input and no output")
    return model


def _compile(model: Model, device: str, weights: bytearray | None) -> OpenVINOGraph:
    try:
        return OpenVINOGraph(_core().compile_model(model, device, _CONFIG), weights)
    except RuntimeError as error:
        raise BackendFailure(_own_words(error)) from None


def _refuse_references(model: bytearray) -> None:
    try:
        names = external_files(model)
    except ValueError as error:
        raise BackendFailure(f"these bytes are no ONNX model: {error}") from None
    if names:
        raise BackendFailure(
            f"the ONNX model keeps weights in another file ({max(names)!r}), which no guest may "
            "open; save it with its weights inside"
        )


def _port(port: Any) -> Port:
    names = sorted(port.names)
    shape = port.partial_shape
    dims = None
    if not shape.rank.is_dynamic:
        dims = tuple(
            Dim(dim.get_min_length(), None if dim.get_max_length() < 0 else dim.get_max_length())
            for dim in shape
        )
    name = names[0] if names else port.node.friendly_name
    return Port(name, port.element_type.get_type_name(), dims)


def _own_words(error: BaseException) -> str:
    # OpenVINO's texts begin with places in its source.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception from ")]
    return " ".join(told or lines)[:600] or type(error).__name__
