"""Inputs of an IR under their index, which OpenVINO takes as it takes their names."""

from __future__ import annotations

from pathlib import Path

import numpy
import openvino
import pytest

from pipeline.config.model_tables import Model, ModelInput
from pipeline.model.ir.canonical_xml import canonical_xml
from pipeline.model.ir.interface import read_interface


def saved(folder: Path, *names: set[str]) -> Path:
    """Write an IR that subtracts its second input from its first; return its xml."""
    inputs = [
        openvino.opset13.parameter([2], numpy.float32, name=f"p{len(each)}") for each in names
    ]
    for given, each in zip(inputs, names, strict=True):
        given.output(0).set_names(each)
    model = openvino.Model([openvino.opset13.subtract(*inputs)], inputs, "net")
    openvino.save_model(model, folder / "net.xml", compress_to_fp16=False)
    return folder / "net.xml"


def test_each_input_is_found_by_its_index_and_computes_the_same(tmp_path: Path) -> None:
    xml = saved(tmp_path, {"b"}, {"a", "c"})
    values = numpy.array([5, 7], numpy.float32), numpy.array([1, 10], numpy.float32)
    plain = openvino.compile_model(xml, "CPU")(dict(zip("ba", values, strict=True)))[0]
    xml.write_bytes(canonical_xml(xml.read_bytes()))
    model = openvino.compile_model(xml, "CPU")
    assert [port.names for port in model.inputs] == [{"b", "0"}, {"a", "c", "1"}]
    assert (model(dict(zip("01", values, strict=True)))[0] == plain).all()
    assert (model(dict(zip("bc", values, strict=True)))[0] == plain).all()
    assert canonical_xml(xml.read_bytes()) == xml.read_bytes()


def test_the_name_of_an_input_stays_its_first(tmp_path: Path) -> None:
    xml = saved(tmp_path, {"b"}, {"a", "c"})
    xml.write_bytes(canonical_xml(xml.read_bytes()))
    shaped = {"b": ModelInput(shape=(2,)), "c": ModelInput(shape=(2,))}
    given = Model(framework="onnx", files={}, inputs=shaped, precision="f32")
    found = read_interface(xml, given).inputs
    assert [(port.name, port.names) for port in found] == [
        ("b", ("b", "0")),
        ("c", ("a", "c", "1")),
    ]


@pytest.mark.parametrize("names", [({"1"}, {"x"}), ({"0"}, {"1"}), ({"x"}, {"0"})])
def test_a_name_that_a_tensor_has_is_not_given_twice(
    names: tuple[set[str], ...], tmp_path: Path
) -> None:
    xml = saved(tmp_path, *names)
    xml.write_bytes(canonical_xml(xml.read_bytes()))
    found = [port.names for port in openvino.Core().read_model(xml).inputs]
    assert all(given <= there for given, there in zip(names, found, strict=True))
    assert not found[0] & found[1]
