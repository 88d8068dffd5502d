"""OpenVINO's core, compiled models and infer requests, over its C API."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.host.openvino_c.library import (
    INVALID_PARAMETER,
    CallFailed,
    DevicesStruct,
    Library,
    Owned,
    PartialShapeStruct,
    ShapeStruct,
    library,
)

# ov_element_type_e, by number.
ELEMENTS = (
    *("dynamic", "boolean", "bf16", "f16", "f32", "f64", "i4", "i8", "i16", "i32", "i64"),
    *("u1", "u2", "u3", "u4", "u6", "u8", "u16", "u32", "u64"),
    *("nf4", "f8e4m3", "f8e5m2", "string", "f4e2m1", "f8e8m0"),
)
_U8 = ELEMENTS.index("u8")


class Core:
    """An ov_core_t: reads and compiles models; raises LibraryMissing and CallFailed."""

    def __init__(self) -> None:
        self.library = library()
        self._core = self.library.owned("core", "ov_core_create")

    def devices(self) -> tuple[str, ...]:
        """Return the names of the devices."""
        found = DevicesStruct()
        self.library["ov_core_get_available_devices"](self._core.pointer, ctypes.byref(found))
        names = tuple(found.names[at].decode() for at in range(found.size))
        self.library["ov_available_devices_free"](ctypes.byref(found))
        return names

    def read_memory(self, model: bytes, weights: bytearray) -> Owned:
        """Read an IR, which uses ``weights`` in place; they must not change from here on."""
        memory = (ctypes.c_ubyte * max(len(weights), 1)).from_buffer(weights or bytearray(1))
        tensor = self.library.owned(
            "tensor",
            "ov_tensor_create_from_host_ptr",
            *(_U8, _shape([len(weights)]), ctypes.addressof(memory)),
        )
        return self.library.owned(
            "model",
            "ov_core_read_model_from_memory_buffer",
            *(self._core.pointer, model, len(model), tensor.pointer),
            uses=(memory,),
        )

    def read_file(self, model: Path, weights: Path | None = None) -> Owned:
        """Read a model from its file or folder; the weights of an IR are memory-mapped."""
        names = [bytes(each) if each else None for each in (model, weights)]
        return self.library.owned("model", "ov_core_read_model", self._core.pointer, *names)

    def compile(self, model: Owned, device: str, config: Mapping[str, str]) -> CompiledModel:
        """Compile a model for a device."""
        words = [word.encode() for each in config.items() for word in each]
        out = ctypes.c_void_p()
        self.library["ov_core_compile_model"](
            *(self._core.pointer, model.pointer, device.encode(), len(words)),
            *(ctypes.byref(out), *map(ctypes.c_char_p, words)),
        )
        free = self.library["ov_compiled_model_free"]
        # The model itself may go, but not the weights, which its constants may be.
        return CompiledModel(self.library, Owned(out.value or 0, free, *model.uses, self._core))

    def set_property(self, name: str, value: str) -> None:
        """Set a property of all devices."""
        self.library["ov_core_set_property"](
            self._core.pointer, None, *map(ctypes.c_char_p, (name.encode(), value.encode()))
        )


class CompiledModel:
    """An ov_compiled_model_t; raises CallFailed."""

    def __init__(self, bound: Library, owned: Owned) -> None:
        self._bound = bound
        self._owned = owned

    def ports(self, side: str) -> tuple[CompiledPort, ...]:
        """Return the ports of a side, ``input`` or ``output``; raises UnicodeDecodeError, too."""
        count = self._bound.size(f"ov_compiled_model_{side}s_size", self._owned.pointer)
        return tuple(CompiledPort(self._bound, self._owned, side, index) for index in range(count))

    def property(self, name: str) -> str:
        """Return a property as text."""
        found = self._bound.made(
            "ov_compiled_model_get_property", self._owned.pointer, name.encode()
        )
        return self._bound.text(found)

    def request(self) -> InferRequest:
        """Return a new infer request."""
        return InferRequest(self._bound, self._owned)


class CompiledPort:
    """An input or output of a compiled model.

    ``name`` is the first in the alphabet, or None; ``element`` one of ELEMENTS; ``dims`` inclusive
    bounds, where -1 is none, or None for any rank. Raises CallFailed, and UnicodeDecodeError for a
    name that is not UTF-8.
    """

    def __init__(self, bound: Library, compiled: Owned, side: str, index: int) -> None:
        port = bound.owned(
            "output_const_port",
            f"ov_compiled_model_{side}_by_index",
            *(compiled.pointer, index),
        )
        self.name: str | None = None
        try:
            name = bound.made("ov_port_get_any_name", port.pointer)
        except CallFailed:
            pass  # It has no name.
        else:
            self.name = bound.text(name)
        number = ctypes.c_int()
        bound["ov_port_get_element_type"](port.pointer, ctypes.byref(number))
        self.element = _element(number.value)
        shape = PartialShapeStruct()
        bound["ov_port_get_partial_shape"](port.pointer, ctypes.byref(shape))
        self.dims: tuple[tuple[int, int], ...] | None = None
        if shape.rank.least == shape.rank.most:
            axes = [shape.dims[at] for at in range(shape.rank.least)]
            self.dims = tuple((axis.least, axis.most) for axis in axes)
        bound["ov_partial_shape_free"](ctypes.byref(shape))


class NativeTensor:
    """A tensor, and a view of its bytes, which keeps it alive; raises CallFailed."""

    def __init__(self, bound: Library, owned: Owned) -> None:
        self._bound = bound
        self.owned = owned
        size = bound.size("ov_tensor_get_byte_size", owned.pointer)
        self.address = bound.made("ov_tensor_data", owned.pointer) if size else 0
        self.data = memoryview(bytearray())
        if size:
            memory: Any = (ctypes.c_ubyte * size).from_address(self.address)
            memory.owned = owned
            self.data = memoryview(memory).cast("B")

    def kind(self) -> tuple[str, tuple[int, ...]]:
        """Return the element type and the shape."""
        number, shape = ctypes.c_int(), ShapeStruct()
        self._bound["ov_tensor_get_element_type"](self.owned.pointer, ctypes.byref(number))
        status = self._bound["ov_tensor_get_shape"](self.owned.pointer, ctypes.byref(shape))
        if status not in (0, INVALID_PARAMETER):
            raise self._bound.failed(status)
        dims = tuple(shape.dims[at] for at in range(shape.rank))
        self._bound["ov_shape_free"](ctypes.byref(shape))
        return _element(number.value), dims


class InferRequest:
    """An infer request; ``cancel`` may be called from another thread.

    ``infer`` infers and returns a status, 0 for success.
    """

    def __init__(self, bound: Library, compiled: Owned) -> None:
        self._bound = bound
        self._request = bound.owned(
            "infer_request",
            "ov_compiled_model_create_infer_request",
            compiled.pointer,
            uses=(compiled,),
        )
        self._pointer = self._request.pointer
        # ctypes passes a reference as it is, so nothing is converted at each inference.
        infer = bound["ov_infer_request_infer"]
        reference = ctypes.byref(ctypes.c_char.from_address(self._pointer))
        self.infer: Callable[[], int] = partial(infer, reference)
        # Views of these are written to and read as long as the request exists.
        self._set: dict[tuple[str, int], NativeTensor] = {}

    def run(self) -> None:
        """Infer; raises CallFailed."""
        status = self.infer()
        if status:
            raise self.failed(status)

    def failed(self, status: int) -> CallFailed:
        """Return the error of a status of ``infer``."""
        return self._bound.failed(status)

    def cancel(self) -> None:
        """Stop a running inference before its next node."""
        self._bound["ov_infer_request_cancel"](self._pointer)

    def new_tensor(self, element: str, dims: Sequence[int]) -> NativeTensor:
        """Return a tensor of zeros; raises CallFailed."""
        number = ELEMENTS.index(element)
        owned = self._bound.owned("tensor", "ov_tensor_create", number, _shape(dims))
        made = NativeTensor(self._bound, owned)
        # OpenVINO leaves what it allocates as it was.
        if made.data:
            ctypes.memset(made.address, 0, len(made.data))
        return made

    def set(self, side: str, index: int, tensor: NativeTensor) -> None:
        """Use a tensor as the input or output; raises CallFailed."""
        self._bound[f"ov_infer_request_set_{side}_tensor_by_index"](
            self._pointer, index, tensor.owned.pointer
        )
        self._set[side, index] = tensor

    def output(self, index: int) -> NativeTensor:
        """Return the tensor of an output, valid until the next inference; raises CallFailed."""
        name = "ov_infer_request_get_output_tensor_by_index"
        return NativeTensor(self._bound, self._bound.owned("tensor", name, self._pointer, index))


def _element(number: int) -> str:
    return ELEMENTS[number] if 0 <= number < len(ELEMENTS) else f"type {number}"


def _shape(dims: Sequence[int]) -> ShapeStruct:
    return ShapeStruct(len(dims), (ctypes.c_int64 * max(len(dims), 1))(*dims))
