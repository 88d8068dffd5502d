"""OpenVINO's C API, bound once by ctypes.

The library is in the installed ``openvino`` package, which is found but not imported: that would
take ten times as long, and bring NumPy along. Signatures: include/openvino/c of the same package.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Suffixes differ by version and system: libopenvino_c.so.2641, libopenvino_c.2641.dylib.
_PATTERNS = ("libs/libopenvino_c.so*", "libs/libopenvino_c*.dylib", "libs/openvino_c.dll")
LEAST = "2026.2"
# ov_status_e: the C wrapper itself refused an argument, so no message belongs to it.
INVALID_PARAMETER = -14
_POINTER = ctypes.c_void_p
_OUT = ctypes.POINTER(ctypes.c_void_p)
_SIZE = ctypes.c_size_t
_SIZE_OUT = ctypes.POINTER(_SIZE)
_TEXT = ctypes.c_char_p
_NUMBER_OUT = ctypes.POINTER(ctypes.c_int)


class ShapeStruct(ctypes.Structure):
    """An ov_shape_t."""

    _fields_ = (("rank", ctypes.c_int64), ("dims", ctypes.POINTER(ctypes.c_int64)))


class DimensionStruct(ctypes.Structure):
    """An ov_dimension_t: inclusive bounds, -1 for none."""

    _fields_ = (("least", ctypes.c_int64), ("most", ctypes.c_int64))


class PartialShapeStruct(ctypes.Structure):
    """An ov_partial_shape_t; a dynamic rank has unequal bounds."""

    _fields_ = (("rank", DimensionStruct), ("dims", ctypes.POINTER(DimensionStruct)))


class DevicesStruct(ctypes.Structure):
    """An ov_available_devices_t."""

    _fields_ = (("names", ctypes.POINTER(ctypes.c_char_p)), ("size", _SIZE))


class VersionStruct(ctypes.Structure):
    """An ov_version_t."""

    _fields_ = (("build", ctypes.c_char_p), ("description", ctypes.c_char_p))


# Functions that return a status, with their parameters; a variadic one has its fixed ones here.
_CHECKED: Mapping[str, tuple[Any, ...]] = {
    "ov_get_openvino_version": (ctypes.POINTER(VersionStruct),),
    "ov_core_create": (_OUT,),
    "ov_core_get_available_devices": (_POINTER, ctypes.POINTER(DevicesStruct)),
    "ov_core_set_property": (_POINTER, _TEXT),
    "ov_core_read_model": (_POINTER, _TEXT, _TEXT, _OUT),
    "ov_core_read_model_from_memory_buffer": (_POINTER, _TEXT, _SIZE, _POINTER, _OUT),
    "ov_core_compile_model": (_POINTER, _POINTER, _TEXT, _SIZE, _OUT),
    "ov_compiled_model_get_property": (_POINTER, _TEXT, _OUT),
    "ov_compiled_model_inputs_size": (_POINTER, _SIZE_OUT),
    "ov_compiled_model_input_by_index": (_POINTER, _SIZE, _OUT),
    "ov_compiled_model_outputs_size": (_POINTER, _SIZE_OUT),
    "ov_compiled_model_output_by_index": (_POINTER, _SIZE, _OUT),
    "ov_compiled_model_create_infer_request": (_POINTER, _OUT),
    "ov_port_get_any_name": (_POINTER, _OUT),
    "ov_port_get_partial_shape": (_POINTER, ctypes.POINTER(PartialShapeStruct)),
    "ov_port_get_element_type": (_POINTER, _NUMBER_OUT),
    "ov_tensor_create": (ctypes.c_int, ShapeStruct, _OUT),
    "ov_tensor_create_from_host_ptr": (ctypes.c_int, ShapeStruct, _POINTER, _OUT),
    "ov_tensor_data": (_POINTER, _OUT),
    "ov_tensor_get_byte_size": (_POINTER, _SIZE_OUT),
    "ov_tensor_get_element_type": (_POINTER, _NUMBER_OUT),
    "ov_infer_request_set_input_tensor_by_index": (_POINTER, _SIZE, _POINTER),
    "ov_infer_request_set_output_tensor_by_index": (_POINTER, _SIZE, _POINTER),
    "ov_infer_request_get_output_tensor_by_index": (_POINTER, _SIZE, _OUT),
    "ov_infer_request_cancel": (_POINTER,),
}
# Functions without a status: parameters, and the type of the result.
_PLAIN: Mapping[str, tuple[tuple[Any, ...] | None, Any]] = {
    "ov_get_error_info": ((ctypes.c_int,), ctypes.c_char_p),
    "ov_get_last_err_msg": ((), _POINTER),
    "ov_free": ((_POINTER,), None),
    "ov_version_free": ((ctypes.POINTER(VersionStruct),), None),
    "ov_available_devices_free": ((ctypes.POINTER(DevicesStruct),), None),
    # They refuse the shape of a scalar, as having no axes.
    "ov_tensor_get_shape": ((_POINTER, ctypes.POINTER(ShapeStruct)), ctypes.c_int),
    "ov_shape_free": ((ctypes.POINTER(ShapeStruct),), ctypes.c_int),
    "ov_partial_shape_free": ((ctypes.POINTER(PartialShapeStruct),), None),
    "ov_core_free": ((_POINTER,), None),
    "ov_model_free": ((_POINTER,), None),
    "ov_compiled_model_free": ((_POINTER,), None),
    "ov_output_const_port_free": ((_POINTER,), None),
    "ov_infer_request_free": ((_POINTER,), None),
    "ov_tensor_free": ((_POINTER,), None),
    # Called once an inference: its argument is converted once, its status looked at without a call.
    "ov_infer_request_infer": (None, ctypes.c_int),
}


class LibraryMissing(Exception):
    """OpenVINO's C API is not installed, or lacks a function; the text says what to do."""


class CallFailed(Exception):
    """A call failed; the text is OpenVINO's."""


class Owned:
    """An object of the library, freed when nothing here refers to it any more.

    ``uses`` are kept alive as long, such as memory that the object reads.
    """

    __slots__ = ("_free", "pointer", "uses")

    def __init__(self, pointer: int, free: Callable[[int], None], *uses: object) -> None:
        self.pointer = pointer
        self._free = free
        self.uses = uses

    def __del__(self) -> None:
        self._free(self.pointer)


@cache
def library() -> Library:
    """Return the library, loaded once; raises LibraryMissing."""
    spec = find_spec("openvino")
    folders = [Path(each) for each in (spec.submodule_search_locations or ())] if spec else []
    found = [path for folder in folders for each in _PATTERNS for path in folder.glob(each)]
    if not found:
        raise LibraryMissing(
            "the package openvino has no C library (libopenvino_c)"
            if spec
            else "the package openvino is not installed"
        )
    return Library(found[0])


class Library:
    """The bound functions by name; raises LibraryMissing if it cannot be loaded or lacks one."""

    def __init__(self, path: Path) -> None:
        try:
            dll = ctypes.CDLL(str(path))
        except OSError as error:
            raise LibraryMissing(f"cannot load OpenVINO's C library ({error})") from None
        missing = [name for name in (*_CHECKED, *_PLAIN) if not hasattr(dll, name)]
        if missing:
            raise LibraryMissing(
                f"OpenVINO {_installed()} has no function {missing[0]}; the host needs OpenVINO "
                f"{LEAST} or later"
            )
        self._functions: dict[str, Any] = {}
        for name, parameters in _CHECKED.items():
            function = getattr(dll, name)
            function.argtypes, function.restype = parameters, ctypes.c_int
            function.errcheck = self._check
            self._functions[name] = function
        for name, (types, result) in _PLAIN.items():
            function = getattr(dll, name)
            function.argtypes, function.restype = types, result
            self._functions[name] = function

    def __getitem__(self, name: str) -> Any:
        return self._functions[name]

    def made(self, name: str, *arguments: Any) -> int:
        """Call a function whose last parameter receives a pointer, and return that."""
        out = ctypes.c_void_p()
        self._functions[name](*arguments, ctypes.byref(out))
        return out.value or 0

    def size(self, name: str, *arguments: Any) -> int:
        """Call a function whose last parameter receives a size, and return that."""
        out = _SIZE()
        self._functions[name](*arguments, ctypes.byref(out))
        return out.value

    def owned(self, kind: str, name: str, *arguments: Any, uses: tuple[object, ...] = ()) -> Owned:
        """Call a function that makes an object, freed by ``ov_KIND_free``."""
        return Owned(self.made(name, *arguments), self._functions[f"ov_{kind}_free"], *uses)

    def text(self, pointer: int) -> str:
        """Return a text that the library allocated, and free it; raises UnicodeDecodeError."""
        data = ctypes.string_at(pointer)
        self._functions["ov_free"](pointer)
        return data.decode()

    def failed(self, status: int) -> CallFailed:
        """Return the error of a status: the library's last message.

        The message is the process's: of two calls that fail at once, one may get the other's.
        """
        pointer = None
        if status != INVALID_PARAMETER:
            pointer = self._functions["ov_get_last_err_msg"]()
        if not pointer:
            known = self._functions["ov_get_error_info"](status)
            return CallFailed(known.decode(errors="replace") if known else f"status {status}")
        data = ctypes.string_at(pointer)
        self._functions["ov_free"](pointer)
        return CallFailed(data.decode(errors="replace"))

    def _check(self, status: int, _function: Any, _arguments: Any) -> int:
        if status:
            raise self.failed(status)
        return status


def version(bound: Library) -> str:
    """Return the build of the library."""
    found = VersionStruct()
    bound["ov_get_openvino_version"](ctypes.byref(found))
    text = (found.build or b"").decode(errors="replace")
    bound["ov_version_free"](ctypes.byref(found))
    return text


def _installed() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of("openvino")
    except PackageNotFoundError:
        return "(of unknown version)"
