"""A model's external data is found wherever it is, and however it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.host.backend import BackendError
from pipeline.host.onnx_external_data import (
    _MESSAGES,
    check_file,
    check_parts,
    external_files,
)
from pipeline.protobuf.wire import WireError, bytes_field, varint, varint_field

MEMORY = "*/_ORT_MEM_ADDR_/*"
ENTRY = bytes_field(1, b"location") + bytes_field(2, b"secret")


def path_of(*numbers: int) -> Callable[[bytes], bytes]:
    """Return what puts a tensor into a model, by the numbers of the fields that lead to it."""

    def model(tensor: bytes) -> bytes:
        for number in reversed(numbers):
            tensor = bytes_field(number, tensor)
        return bytes_field(2, b"maker") + tensor

    return model


PLACES = {
    "initializer": path_of(7, 5),
    "attribute": path_of(7, 1, 5, 5),
    "attribute of tensors": path_of(7, 1, 5, 10),
    "sparse attribute": path_of(7, 1, 5, 22, 1),
    "sparse attributes": path_of(7, 1, 5, 23, 2),
    "subgraph": path_of(7, 1, 5, 6, 5),
    "subgraphs": path_of(7, 1, 5, 11, 1, 5, 5),
    "sparse values": path_of(7, 15, 1),
    "sparse indices": path_of(7, 15, 2),
    "function": path_of(25, 7, 5, 5),
    "default of a function's attribute": path_of(25, 11, 5),
    "initialization": path_of(20, 1, 5),
    "training": path_of(20, 2, 1, 5, 5),
}
TAG = 13 << 3 | 2
WRITTEN = {
    "plainly": bytes_field(13, ENTRY),
    "with a tag past 32 bits": varint(TAG + 2**32) + varint(len(ENTRY)) + ENTRY,
    "with a tag of five bytes": b"\xea\x80\x80\x80\x00" + varint(len(ENTRY)) + ENTRY,
    "with a tag of six bytes": b"\xea\x80\x80\x80\x80\x00" + varint(len(ENTRY)) + ENTRY,
    "with a long length": bytes([TAG, len(ENTRY) | 0x80, 0x80, 0x00]) + ENTRY,
    "after a group": b"\xa3\x06\xa4\x06" + bytes_field(13, ENTRY),
    "by its flag alone": varint_field(14, 1),
    "by a flag past 32 bits": varint_field(14, 2**32 + 1),
    "by the second of two flags": varint_field(14, 0) + varint_field(14, 1),
    "with a second key": bytes_field(13, bytes_field(1, b"offset") + ENTRY),
    "with bytes that are no text": bytes_field(13, bytes_field(1, b"location") + b"\x12\x01\xff"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("written", WRITTEN)
def test_a_guests_model_has_no_external_data(place: str, written: str) -> None:
    tensor = varint_field(1, 4) + bytes_field(8, b"w") + WRITTEN[written]
    with pytest.raises(BackendError):
        check_parts(PLACES[place](tensor))


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_with_its_own_data_is_loaded(place: str) -> None:
    tensor = varint_field(1, 1) + bytes_field(9, bytes(4)) + varint_field(14, 0)
    check_parts(PLACES[place](tensor))


@pytest.mark.parametrize("number", [7, 5])
def test_a_tag_past_32_bits_hides_nothing_on_the_way(number: int) -> None:
    inner = bytes_field(13, ENTRY)
    for each in (5, 7):
        tag = (each << 3 | 2) + (2**32 if each == number else 0)
        inner = varint(tag) + varint(len(inner)) + inner
    with pytest.raises(BackendError, match="32 bits"):
        check_parts(inner)


def test_every_message_with_a_tensor_is_walked() -> None:
    """ONNX's own schema names no way to a tensor that the table lacks."""
    names = {"Model": "ModelProto", "Training": "TrainingInfoProto", "Entry": ""}

    def message(kind: str) -> str:
        return names.get(kind, f"{kind}Proto")

    def reach(descriptor: object, seen: tuple[str, ...] = ()) -> bool:
        name = descriptor.name  # type: ignore[attr-defined]
        return name == "TensorProto" or any(
            reach(field.message_type, (*seen, name))
            for field in descriptor.fields  # type: ignore[attr-defined]
            if field.message_type is not None and field.message_type.name not in (*seen, name)
        )

    for kind, table in _MESSAGES.items():
        if kind == "Tensor":
            continue
        descriptor = getattr(onnx, message(kind)).DESCRIPTOR
        expected = {
            field.number: field.message_type.name
            for field in descriptor.fields
            if field.message_type is not None and reach(field.message_type)
        }
        assert expected == {number: message(inner) for number, inner in table.items()}, kind


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("../secret", "outside its folder"),
        ("/etc/hostname", "outside its folder"),
        (MEMORY, "an address in memory"),
        ("*/_ORT_NATIVE_ENDIAN_MEM_ADDR_/*", "an address in memory"),
        (f"./{MEMORY}", "an address in memory"),
        ("secret\0.bin", "not a file name"),
    ],
)
def test_a_named_graph_reads_no_file_elsewhere(tmp_path: Path, location: str, said: str) -> None:
    entry = bytes_field(1, b"location") + bytes_field(2, location.encode())
    (tmp_path / "model.onnx").write_bytes(path_of(7, 5, 13)(entry))
    with pytest.raises(BackendError, match=said):
        check_file(tmp_path / "model.onnx")


def test_a_named_graph_reads_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(path_of(7, 5, 13)(ENTRY))
    check_file(tmp_path / "model.onnx")


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            yield from tensors(attribute.g)


@given(st.sampled_from([*PLACES]), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255))))
def test_what_protobuf_finds_is_found_here(place: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(PLACES[place](varint_field(1, 4) + bytes_field(13, ENTRY)))
    for at, byte in changes:
        data[at % len(data)] = byte
    try:
        model = onnx.ModelProto.FromString(bytes(data))
    except Exception:  # protobuf's implementations raise different types
        return
    if any(tensor.external_data for tensor in tensors(model.graph)):
        try:
            assert external_files(data)
        except WireError:
            return
