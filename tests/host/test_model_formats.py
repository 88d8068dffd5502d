"""Models in other formats than IR, and what such a model may not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from pipeline.host.graph_registry import NamedGraph
from tests.host.made_models import tensorflow_graph
from tests.host.script import Script


def onnx_model(location: str | None = None) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(numpy.array([0, 1, 2, 3], "<f4"), "w")
    if location is not None:
        weights = TensorProto(
            name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", location), ("offset", "0"), ("length", "16")):
            weights.external_data.add(key=key, value=value)
    return _model(helper, [helper.make_node("Add", ["x", "w"], ["y"])], [weights])


def onnx_model_with_a_hidden_reference(location: str) -> bytes:
    from onnx import TensorProto, helper

    weights = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
    )
    # The key's bytes are not the usual ones: the fields are swapped.
    entry = weights.external_data.add(key="location", value=location)
    raw = entry.SerializeToString()
    swapped = raw[10:] + raw[:10]
    node = helper.make_node("Constant", [], ["w"], value=weights)
    model = _model(helper, [node, helper.make_node("Add", ["x", "w"], ["y"])], [])
    assert raw in model
    return model.replace(raw, swapped)


def _model(helper: Any, nodes: list[Any], initializers: list[Any]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [4])],
        [helper.make_tensor_value_info("y", 1, [4])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


def infer(script: Script, encoding: int, model: bytes, dims: list[int]) -> int:
    buffer = script.room(16)
    values = numpy.array([-1, 2, 3, 4], "<f4").tobytes()
    script.call("load", script.builders(model), 1, encoding, 0, script.room())
    script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(1, dims, values))
    script.call("compute", 0)
    script.call("get_output", 0, 0, buffer, 16, script.room())
    return buffer


@pytest.mark.parametrize("encoding", [1, 5])
def test_onnx(tmp_path: Path, encoding: int) -> None:
    script = Script()
    buffer = infer(script, encoding, onnx_model(), [4])
    ran = script.run(tmp_path)
    assert ran.errnos == [0] * 5, ran.messages
    assert numpy.frombuffer(ran.bytes_at(buffer, 16), "<f4").tolist() == [-1, 3, 5, 7]


@pytest.mark.parametrize("encoding", [2, 5])
def test_a_tensorflow_graph(tmp_path: Path, encoding: int) -> None:
    script = Script()
    buffer = infer(script, encoding, tensorflow_graph(), [1, 4])
    ran = script.run(tmp_path)
    assert ran.errnos == [0] * 5, ran.messages
    assert numpy.frombuffer(ran.bytes_at(buffer, 16), "<f4").tolist() == [0, 2, 3, 4]


def test_a_named_onnx_graph(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "some.onnx").write_bytes(onnx_model())
    script = Script()
    script.call("load_by_name", script.put(b"net"), 3, script.room())
    ran = script.run(tmp_path, graphs=[NamedGraph.parse(f"onnx::{tmp_path / 'net'}")])
    assert ran.errnos == [0], ran.messages


@pytest.mark.parametrize("encoding", [1, 2, 4])
@pytest.mark.parametrize("data", [b"", b"garbage", bytes(64)], ids=["none", "garbage", "zeros"])
def test_what_is_no_model_gives_5(tmp_path: Path, encoding: int, data: bytes) -> None:
    script = Script()
    script.call("load", script.builders(data), 1, encoding, 0, script.room())
    assert script.run(tmp_path).errnos == [5]


@pytest.mark.parametrize("encoding", [2, 4])
def test_one_format_does_not_pass_for_another(tmp_path: Path, encoding: int) -> None:
    script = Script()
    script.call("load", script.builders(onnx_model()), 1, encoding, 0, script.room())
    assert script.run(tmp_path).errnos == [5]


@pytest.mark.parametrize("make", [onnx_model, onnx_model_with_a_hidden_reference])
@pytest.mark.parametrize("way", ["absolute", "relative"])
@pytest.mark.parametrize("encoding", [1, 5])
def test_a_model_opens_no_file_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, way: str, encoding: int
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(numpy.array([7, 7, 7, 7], "<f4").tobytes())
    monkeypatch.chdir(tmp_path)
    location = str(secret) if way == "absolute" else "secret"
    script = Script()
    buffer = infer(script, encoding, make(location), [4])
    ran = script.run(tmp_path)
    assert ran.errnos[0] == 5
    assert ran.bytes_at(buffer, 16) == b"\xaa" * 16
