"""Find the external data files that an ONNX model names, before a runtime reads it.

For a model from memory, OpenVINO opens such a file wherever it is, and ONNX Runtime opens it below
the current folder; both take some locations for addresses in their own memory. Field numbers are
those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pipeline.host.backend import BackendError
from pipeline.protobuf.wire import Buffer, Field, Wire, WireError, read_fields

# protobuf's own limit of nested messages.
_DEPTH = 100
# In locations that runtimes take for memory addresses: */_ORT_MEM_ADDR_/* and
# */_ORT_NATIVE_ENDIAN_MEM_ADDR_/*.
_MEMORY = "_MEM_ADDR_"

# The messages that can contain a tensor: field number → type of message.
_MESSAGES: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}
_KEY, _VALUE = 1, 2
_DATA_LOCATION, _EXTERNAL = 14, 1


def external_files(model: Buffer) -> list[str]:
    """Return the locations in all tensors' external_data, '' for one without a location.

    Raises WireError, a ValueError, for what is not protobuf as encoders write it.
    """
    return list(_walk(model, 0, len(model), "Model", 0))


def mapped_external_files(path: Path) -> list[str]:
    """Return the locations in a model file, without reading its weights.

    Raises WireError, also for an empty file, and OSError.
    """
    with path.open("rb") as stream:
        if path.stat().st_size == 0:
            raise WireError("an empty file")
        with mmap(stream.fileno(), 0, access=ACCESS_READ) as model:
            return external_files(model)


def location_fault(location: str, folder: Path) -> str:
    """Return what is wrong with a location, for a model in ``folder``, or ''.

    >>> location_fault("weights.bin", Path("/models"))
    ''
    >>> location_fault("../secret", Path("/models"))
    'is outside its folder'
    >>> location_fault("*/_ORT_MEM_ADDR_/*", Path("/models"))
    'is an address in memory'
    """
    if is_memory_address(location):
        return "is an address in memory"
    if "\0" in location:
        return "is not a file name"
    inside = (folder / location).resolve().is_relative_to(folder.resolve())
    return "" if inside else "is outside its folder"


def is_memory_address(location: str) -> bool:
    """Return whether a runtime takes a location for an address in its own memory."""
    return _MEMORY in location


def check_parts(model: bytes | bytearray) -> None:
    """Raise BackendError for a model from memory with external data."""
    try:
        names = external_files(model)
    except WireError as error:
        raise _not_onnx(error) from None
    if names:
        raise BackendError(
            f"the ONNX model has external data ({max(names)!r}), which guests may not "
            "load; save it with its weights embedded"
        )


def check_file(path: Path) -> None:
    """Raise BackendError for a model file with external data that is not in its folder."""
    try:
        names = mapped_external_files(path)
    except WireError as error:
        raise _not_onnx(error) from None
    except OSError as error:
        raise BackendError(f"cannot read a file of the graph: {error}") from None
    for name in names:
        if fault := location_fault(name, path.parent):
            raise BackendError(f"the ONNX model's external data {name!r} {fault}")


def _not_onnx(error: WireError) -> BackendError:
    return BackendError(f"not an ONNX model: {error}")


def _walk(model: Buffer, start: int, end: int, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        raise WireError("messages nested too deep")
    inner = _MESSAGES[kind]
    for field in read_fields(model, start, end):
        message = inner.get(field.number)
        if message is not None and field.wire is Wire.BYTES:
            if message == "Entry":
                yield _location(model, field)
            else:
                yield from _walk(model, field.start, field.end, message, depth + 1)
        elif field.number == _DATA_LOCATION and kind == "Tensor" and _is_external(field):
            yield ""


def _is_external(field: Field) -> bool:
    # An enum has 32 bits; protobuf truncates a longer one.
    return field.value & 0xFFFFFFFF == _EXTERNAL


def _location(model: Buffer, entry: Field) -> str:
    texts = {
        field.number: model[field.start : field.end]
        for field in read_fields(model, entry.start, entry.end)
        if field.wire is Wire.BYTES
    }
    if texts.get(_KEY) != b"location":
        return ""
    return texts.get(_VALUE, b"").decode(errors="replace")
