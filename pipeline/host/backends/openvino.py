"""OpenVINO backend: IR, ONNX, TensorFlow and TFLite; SavedModels and Paddle by name only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.host.backend import (
    BackendError,
    BackendUnavailable,
    Dim,
    Framework,
    GraphPort,
    Tuning,
)
from pipeline.host.clean_text import clean_text
from pipeline.host.model_check import check_model, check_model_file
from pipeline.host.model_types import ELEMENT_SIZES, Encoding, Target
from pipeline.host.node_check import SafeModels
from pipeline.host.onnx_external_data import check_file, check_parts
from pipeline.host.onnx_outline import check_whole
from pipeline.host.openvino_c.library import LEAST, CallFailed, LibraryMissing, Owned
from pipeline.host.openvino_c.runtime import (
    CompiledModel,
    CompiledPort,
    Core,
    InferRequest,
    NativeTensor,
)

_SAVED_MODEL = "saved_model.pb"

# The second is raised if a name is not UTF-8.
_FAILURES = (CallFailed, UnicodeDecodeError)

# The device of each target; a machine may have several of a kind (GPU.0, GPU.1).
_DEVICES = {Target.CPU: "CPU", Target.GPU: "GPU", Target.TPU: "NPU"}


class OpenVINO:
    """The OpenVINO runtime of this machine."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._lock = threading.Lock()
        self._safe = SafeModels()
        self._started: Core | None = None

    def targets(self) -> Mapping[Target, str]:
        """Return the devices; AUTO is always the CPU, so that outputs do not vary."""
        return _Devices(self._core().devices)

    def load(self, encoding: Encoding, parts: Sequence[bytearray], device: str) -> OpenVINOGraph:
        """Compile a model from its bytes; raises BackendError and BackendUnavailable."""
        check_model(encoding, parts[0])
        if encoding is Encoding.ONNX:
            check_parts(parts[0])
            check_whole(parts[0])
        core = self._core()
        # Other formats become IR: from memory, OpenVINO cannot read TensorFlow and TFLite, and ONNX
        # may name any file of the host as its weights.
        xml, weights = self._safe.get(encoding, parts)
        try:
            return self._compile(core, core.read_memory(bytes(xml), weights), device)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None

    def load_files(self, encoding: Encoding, files: Sequence[Path], device: str) -> OpenVINOGraph:
        """Compile a model from files; raises BackendError and BackendUnavailable.

        An IR's weights are memory-mapped and used in place.
        """
        model, weights = files[0], None
        if encoding is Encoding.OPENVINO:
            weights = files[1]
        if model.name == _SAVED_MODEL:
            model = model.parent  # OpenVINO reads a SavedModel from its folder.
        else:
            check_model_file(encoding, model)
        if encoding is Encoding.ONNX:
            check_file(model)
        core = self._core()
        try:
            read = core.read_file(model, weights)
            return self._compile(core, read, device, self._tuning.cache)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None

    def _core(self) -> Core:
        with self._lock:
            if self._started is None:
                try:
                    self._started = Core()
                    self._started.set_property("ENABLE_MMAP", "YES")
                except LibraryMissing as error:
                    raise BackendUnavailable(
                        f"{error}; run `pip install 'openvino>={LEAST}'`"
                    ) from None
            return self._started

    def _compile(
        self,
        core: Core,
        model: Owned,
        device: str,
        cache: Path | None = None,
    ) -> OpenVINOGraph:
        return OpenVINOGraph(core.compile(model, device, self._config(device, cache)))

    def _config(self, device: str, cache: Path | None) -> dict[str, str]:
        config = {}
        if not device.startswith("NPU"):
            # Some devices compute f32 models in bf16 or f16 by default; NPUs do not support f32.
            config["INFERENCE_PRECISION_HINT"] = "f32"
        if device == "CPU":
            # Processors with VNNI round activations to 8 bits before compressed weights.
            config["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
        if self._tuning.hint:
            config["PERFORMANCE_HINT"] = self._tuning.hint.upper()
        if self._tuning.threads and device == "CPU":
            config["INFERENCE_NUM_THREADS"] = str(self._tuning.threads)
        # A guest could forge OpenVINO's cache key, so only the owner's models are cached.
        if cache:
            config["CACHE_DIR"] = str(cache)
        return config


class _Devices(Mapping[Target, str]):
    """The devices by target; any but the CPU are listed only when asked for, which loads them."""

    def __init__(self, names: Callable[[], Sequence[str]]) -> None:
        self._names = names

    def __getitem__(self, target: Target) -> str:
        return "CPU" if target in (Target.CPU, Target.AUTO) else self._all()[target]

    def __iter__(self) -> Iterator[Target]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[Target, str]:
        found = {Target.CPU: "CPU"}
        names = self._names()
        for target, kind in _DEVICES.items():
            of_kind = [each for each in names if each.partition(".")[0] == kind]
            if of_kind:
                found[target] = of_kind[0]
        return {**found, Target.AUTO: "CPU"}


class OpenVINOGraph:
    """A compiled model."""

    def __init__(self, compiled: CompiledModel) -> None:
        self._compiled = compiled
        self.inputs = _ports(compiled.ports("input"))
        self.outputs = _ports(compiled.ports("output"))

    def context(self) -> OpenVINOContext:
        """Return a new context; raises BackendError."""
        try:
            return OpenVINOContext(self._compiled.request(), self.outputs)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None


class OpenVINOContext:
    """One infer request."""

    def __init__(self, request: InferRequest, outputs: Sequence[GraphPort]) -> None:
        self._request = request
        self._infer = request.infer
        # Outputs of static shape have one place, which OpenVINO writes into.
        self._static = {
            index: self._place("output", index, str(port.element), [dim.least for dim in port.dims])
            for index, port in enumerate(outputs)
            if port.element in ELEMENT_SIZES
            and port.dims
            and all(0 < dim.least == dim.most for dim in port.dims)
        }
        self._dynamic: dict[int, NativeTensor] = {}
        self._ports = outputs

    def input_memory(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        """Return the memory of the input's tensor; raises BackendError."""
        try:
            return self._place("input", index, element, dims)
        except _FAILURES as error:
            raise BackendError(clean_text(error)) from None

    def compute(self) -> None:
        """Run inference; raises BackendError."""
        if self._dynamic:
            self._dynamic.clear()
        status = self._infer()
        if status:
            raise BackendError(clean_text(self._request.failed(status)))

    def cancel(self) -> None:
        """Stop a running inference before its next node."""
        self._request.cancel()

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output, valid until the next call; raises BackendError."""
        place = self._static.get(index)
        return self._output(index).data if place is None else place

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and shape of an output of the last inference."""
        return self._output(index).kind()

    def _place(self, side: str, index: int, element: str, dims: Sequence[int]) -> memoryview:
        tensor = self._request.new_tensor(element, dims)
        self._request.set(side, index, tensor)
        return tensor.data

    def _output(self, index: int) -> NativeTensor:
        tensor = self._dynamic.get(index)
        if tensor is None:
            try:
                tensor = self._dynamic[index] = self._request.output(index)
            except _FAILURES as error:
                raise BackendError(clean_text(error)) from None
            if self._ports[index].element not in ELEMENT_SIZES and tensor.kind()[0] == "string":
                raise BackendError("wasi-nn has no string tensors")
        return tensor


def _ports(ports: Sequence[CompiledPort]) -> tuple[GraphPort, ...]:
    return tuple(
        GraphPort(
            str(index) if port.name is None else port.name,
            port.element,
            None
            if port.dims is None
            else tuple(Dim(least, None if most < 0 else most) for least, most in port.dims),
        )
        for index, port in enumerate(ports)
    )


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
