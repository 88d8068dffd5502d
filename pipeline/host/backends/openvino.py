"""OpenVINO backend: IR, ONNX, TensorFlow and TFLite; SavedModels and Paddle by name only."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.host.abi.enums import Encoding, Target
from pipeline.host.arrays import DTYPES, Arrays, bytes_of, output_bytes, zeros
from pipeline.host.backend import (
    BackendError,
    BackendUnavailable,
    Dim,
    Framework,
    GraphPort,
    Tuning,
)
from pipeline.host.clean_text import clean_text
from pipeline.host.onnx_external_data import check_file, check_parts

if TYPE_CHECKING:
    from openvino import Model

# OpenVINO's frontend, and a file name of the format.
_READERS = {
    Encoding.ONNX: ("onnx", "model.onnx"),
    Encoding.TENSORFLOW: ("tf", "model.pb"),
    Encoding.TENSORFLOWLITE: ("tflite", "model.tflite"),
    Encoding.PADDLE: ("paddle", "model.pdmodel"),
}

# The second is raised if a name, or an error with one, is not UTF-8.
_FAILURES = (RuntimeError, UnicodeDecodeError)

# The device of each target; a machine may have several of a kind (GPU.0, GPU.1).
_DEVICES = {Target.CPU: "CPU", Target.GPU: "GPU", Target.TPU: "NPU"}


class OpenVINO:
    """The OpenVINO runtime of this machine."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._lock = threading.Lock()
        self._started: Any = None

    def targets(self) -> Mapping[Target, str]:
        """Return the devices; AUTO is always the CPU, so that outputs do not vary."""
        devices = self._core().available_devices
        found = {Target.CPU: "CPU"}
        for target, kind in _DEVICES.items():
            of_kind = [each for each in devices if each.partition(".")[0] == kind]
            if of_kind:
                found[target] = of_kind[0]
        return {**found, Target.AUTO: "CPU"}

    def load(self, encoding: Encoding, parts: Sequence[bytearray], device: str) -> OpenVINOGraph:
        """Compile a model from its bytes; raises BackendError and BackendUnavailable."""
        if encoding is Encoding.OPENVINO:
            xml, weights = parts
            return self._compile(self._read_ir(xml, weights), device, weights)
        if encoding is Encoding.ONNX:
            check_parts(parts[0])
        # From memory, OpenVINO cannot read TensorFlow and TFLite, and ONNX may name any file of the
        # host as its weights; in a temporary folder there is nothing but the model.
        with tempfile.TemporaryDirectory(prefix="wasi-nn-") as folder:
            path = Path(folder) / _READERS[encoding][1]
            path.write_bytes(parts[0])
            return self._compile(self._read_file(encoding, path), device, None)

    def load_files(self, encoding: Encoding, files: Sequence[Path], device: str) -> OpenVINOGraph:
        """Compile a model from files; raises BackendError and BackendUnavailable.

        An IR's weights are memory-mapped and used in place.
        """
        cache = self._tuning.cache
        if encoding is Encoding.OPENVINO:
            return self._compile(self._map_ir(*files), device, None, cache)
        if encoding is Encoding.ONNX:
            check_file(files[0])
        # OpenVINO reads a SavedModel from its folder.
        saved = files[0].name == "saved_model.pb"
        model = self._read_file(encoding, files[0].parent if saved else files[0])
        return self._compile(model, device, None, cache)

    def _core(self) -> Any:
        with self._lock:
            if self._started is None:
                try:
                    import openvino
                except ImportError as error:
                    raise BackendUnavailable(
                        f"cannot import OpenVINO ({error}); run `pip install openvino`"
                    ) from None
                self._started = openvino.Core()
            return self._started

    def _read_ir(self, xml: bytearray, weights: bytearray) -> Model:
        core = self._core()
        import numpy
        import openvino

        array = numpy.frombuffer(weights, numpy.uint8) if weights else numpy.empty(0, numpy.uint8)
        try:
            model: Model = core.read_model(bytes(xml), openvino.Tensor(array, shared_memory=True))
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None
        return model

    def _map_ir(self, xml: Path, weights: Path) -> Model:
        core = self._core()
        core.set_property({"ENABLE_MMAP": True})
        try:
            model: Model = core.read_model(str(xml), str(weights))
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None
        return model

    def _read_file(self, encoding: Encoding, path: Path) -> Model:
        self._core()
        from openvino.frontend import FrontEndManager

        name = _READERS[encoding][0]
        manager = FrontEndManager()
        if name not in manager.get_available_front_ends():
            raise BackendUnavailable(
                f"this OpenVINO has no {name} frontend; run `pip install openvino`"
            )
        # Load by name: with automatic detection a guest could pass one format off as another.
        try:
            reader = manager.load_by_framework(name)
            model: Model = reader.convert(reader.load(str(path)))
        except Exception as error:  # each frontend has its own exceptions
            raise BackendError(clean_text(error).replace(str(path.parent), "")) from None
        if not model.inputs and not model.outputs:
            raise BackendError(f"not a {encoding.value} model: no inputs and no outputs")
        return model

    def _compile(
        self, model: Model, device: str, weights: bytearray | None, cache: Path | None = None
    ) -> OpenVINOGraph:
        try:
            compiled = self._core().compile_model(model, device, self._config(device, cache))
            return OpenVINOGraph(compiled, weights)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None

    def _config(self, device: str, cache: Path | None) -> dict[str, str]:
        config = {}
        if not device.startswith("NPU"):
            # Some devices compute f32 models in bf16 or f16 by default; NPUs do not support f32.
            config["INFERENCE_PRECISION_HINT"] = "f32"
        if self._tuning.hint:
            config["PERFORMANCE_HINT"] = self._tuning.hint.upper()
        if self._tuning.threads and device == "CPU":
            config["INFERENCE_NUM_THREADS"] = str(self._tuning.threads)
        # A guest could forge OpenVINO's cache key, so only the owner's models are cached.
        if cache:
            config["CACHE_DIR"] = str(cache)
        return config


class OpenVINOGraph:
    """A compiled model, and the weights that it uses in place."""

    def __init__(self, compiled: Any, weights: bytearray | None) -> None:
        self._compiled = compiled
        self._weights = weights
        self.inputs = tuple(_port(port) for port in compiled.inputs)
        self.outputs = tuple(_port(port) for port in compiled.outputs)

    def context(self) -> OpenVINOContext:
        """Return a new context; raises BackendError."""
        try:
            return OpenVINOContext(self._compiled.create_infer_request(), self.outputs)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None


class OpenVINOContext:
    """One infer request."""

    def __init__(self, request: Any, outputs: Sequence[GraphPort]) -> None:
        self._request = request
        # Arrays for outputs of static shape; OpenVINO writes directly into them.
        self._outputs = {
            index: self._output_place(index, port)
            for index, port in enumerate(outputs)
            if port.element in DTYPES
            and port.dims
            and all(0 < dim.least == dim.most for dim in port.dims)
        }
        self._inputs = Arrays()
        self._held: dict[int, Any] = {}

    def set_input(self, index: int, element: str, dims: Sequence[int], data: memoryview) -> None:
        """Copy the data into the input's tensor; raises BackendError."""
        # Reuse the tensor: a new one makes OpenVINO prepare the next inference again.
        if self._inputs.set(index, element, dims, data):
            import openvino

            array = self._inputs.by_index[index]
            try:
                self._request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))
            except _FAILURES as error:
                self._inputs.forget(index)
                raise BackendError(clean_text(error)) from None
            # A tensor that shares an array's memory does not keep the array alive.
            self._held[index] = array

    def _output_place(self, index: int, port: GraphPort) -> memoryview:
        import openvino

        array = zeros(str(port.element), [dim.least for dim in port.dims or ()])
        self._request.set_output_tensor(index, openvino.Tensor(array, shared_memory=True))
        return bytes_of(array)

    def compute(self) -> None:
        """Run inference; raises BackendError."""
        try:
            self._request.infer(share_outputs=True)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None

    def cancel(self) -> None:
        """Stop a running inference before its next node."""
        self._request.cancel()

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output, valid until the next call; raises BackendError."""
        if index in self._outputs:
            return self._outputs[index]
        try:
            array = self._request.get_output_tensor(index).data
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None
        return output_bytes(array)

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and shape of an output of the last inference."""
        tensor = self._request.get_output_tensor(index)
        return tensor.element_type.get_type_name(), tuple(tensor.shape)


def _port(port: Any) -> GraphPort:
    names = sorted(port.names)
    shape = port.partial_shape
    dims = None
    if not shape.rank.is_dynamic:
        dims = tuple(
            Dim(dim.get_min_length(), None if dim.get_max_length() < 0 else dim.get_max_length())
            for dim in shape
        )
    name = names[0] if names else port.node.friendly_name
    return GraphPort(name, port.element_type.get_type_name(), dims)


FRAMEWORK = Framework(
    name="openvino",
    encodings=(
        Encoding.OPENVINO,
        Encoding.ONNX,
        Encoding.TENSORFLOW,
        Encoding.TENSORFLOWLITE,
        Encoding.PADDLE,
    ),
    start=OpenVINO,
)
