"""A model that is passed off as another encoding is refused, whatever OpenVINO would read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.host.backend import BackendError
from pipeline.host.graph_registry import NamedGraph
from pipeline.host.model_check import check_model
from pipeline.host.model_types import Encoding
from tests.host.conftest import Ir
from tests.host.made_models import field, paddle_model, tensorflow_graph, tflite_model
from tests.host.script import Script
from tests.host.test_backends import onnx_relu

BYTES: Mapping[Encoding, Callable[[], bytes]] = {
    Encoding.ONNX: onnx_relu,
    Encoding.TENSORFLOW: tensorflow_graph,
    Encoding.TENSORFLOWLITE: tflite_model,
}
NUMBERS = {Encoding.ONNX: 1, Encoding.TENSORFLOW: 2, Encoding.TENSORFLOWLITE: 4}
SUFFIXES = {
    Encoding.OPENVINO: ".xml",
    Encoding.ONNX: ".onnx",
    Encoding.TENSORFLOW: ".pb",
    Encoding.TENSORFLOWLITE: ".tflite",
    Encoding.PADDLE: ".pdmodel",
}


@pytest.mark.parametrize("claimed", NUMBERS, ids=str)
@pytest.mark.parametrize("real", [*BYTES, Encoding.OPENVINO], ids=str)
def test_a_guest_loads_each_encoding_as_itself_alone(
    tmp_path: Path, models: dict[str, Ir], real: Encoding, claimed: Encoding
) -> None:
    model = models["add"].xml if real is Encoding.OPENVINO else BYTES[real]()
    script = Script()
    script.call("load", script.builders(model), 1, NUMBERS[claimed], 0, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos == [0 if real is claimed else 5]
    assert real is claimed or f"not a model in {claimed.value}" in ran.messages


@pytest.mark.parametrize("real", BYTES, ids=str)
@pytest.mark.parametrize("before", [b"", b"\n"])
def test_no_other_encoding_is_an_ir(tmp_path: Path, real: Encoding, before: bytes) -> None:
    script = Script()
    script.load(before + BYTES[real](), b"", script.room())
    script.load(before + BYTES[real](), bytes(64), script.room())
    assert script.run(tmp_path).errnos == [5, 5]


@pytest.mark.parametrize("claimed", SUFFIXES, ids=str)
@pytest.mark.parametrize("real", [*BYTES, Encoding.PADDLE], ids=str)
def test_a_named_graph_is_of_its_encoding(
    tmp_path: Path, real: Encoding, claimed: Encoding
) -> None:
    if real is Encoding.PADDLE:
        paddle_model(tmp_path / "made")
        model = (tmp_path / "made/net.pdmodel").read_bytes()
    else:
        model = BYTES[real]()
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "model").with_suffix(SUFFIXES[claimed]).write_bytes(model)
    for beside in (".bin", ".pdiparams"):
        (folder / f"model{beside}").touch()
    script = Script()
    script.call("load_by_name", script.put(b"net"), 3, script.room())
    ran = script.run(tmp_path, graphs=[NamedGraph("net", folder, claimed)])
    assert ran.errnos == [0 if real is claimed else 5]


def test_a_message_of_two_encodings_is_neither() -> None:
    graph, onnx = tensorflow_graph(), onnx_relu()
    for encoding in (Encoding.TENSORFLOW, Encoding.PADDLE):
        for both in (graph + onnx, onnx + graph, graph + field(7, b"")):
            with pytest.raises(BackendError):
                check_model(encoding, both)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"\x0a",
        b"\x0a\xff",
        b"\x0b",
        b"\x80" * 11,
        # Tags that protobuf cuts to 32 bits: fields 7 and 2.
        tensorflow_graph() + b"\xba\x80\x80\x80\x70\x00",
        tensorflow_graph() + b"\x92\x80\x80\x80\x10\x00",
    ],
)
def test_a_spoilt_message_is_no_graph(spoilt: bytes) -> None:
    with pytest.raises(BackendError):
        check_model(Encoding.PADDLE, spoilt)
    if b"\x92\x80" not in spoilt:
        with pytest.raises(BackendError):
            check_model(Encoding.TENSORFLOW, spoilt)
