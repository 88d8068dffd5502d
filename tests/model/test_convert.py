"""Models become IR: the same bytes twice, with what was asked for inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert.make_ir import convert
from pipeline.model.ir.canonical_xml import canonical_or_refused, canonical_xml, weights_size
from pipeline.verify.executors.ort import run_onnxruntime
from pipeline.verify.executors.reference_executor import InferenceRequest
from tests.tiny import write_model

OUTPUTS = {
    "xml": "net.xml",
    "bin": "net.bin",
    "alias.xml": "model.xml",
    "alias.bin": "model.bin",
    "interface": "interface.json",
}


def run(folder: Path, model: Path, shape: tuple[int, ...] = (1, 3, 8, 8), **given: Any) -> Job:
    folder.mkdir()
    (folder / "scratch").mkdir()
    precision = given.pop("precision", "f32")
    name = given.pop("input", "x")
    outputs = given.pop("outputs", ())
    job = Job(
        inputs={"model": model},
        outputs={label: folder / file for label, file in OUTPUTS.items()},
        parameters={
            "name": "net",
            "seconds": 120,
            "model": {
                "framework": "onnx",
                "files": {"model": "model"},
                "inputs": {name: {"shape": shape, **given}},
                "outputs": {name: {} for name in outputs},
                "precision": precision,
            },
        },
        scratch=folder / "scratch",
    )
    convert(job)
    return job


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def infer(xml: Path, array: Any) -> Any:
    import openvino

    compiled = openvino.Core().compile_model(xml, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(array)[0]


def test_the_same_bytes_from_two_folders(model: Path, tmp_path: Path) -> None:
    one = run(tmp_path / "one", model, mean=[1, 2, 3])
    two = run(tmp_path / "zwei mit Leerzeichen", model, mean=[1, 2, 3])
    for label in OUTPUTS:
        assert one.outputs[label].read_bytes() == two.outputs[label].read_bytes()


def test_mean_and_scale_are_inside(model: Path, tmp_path: Path) -> None:
    job = run(tmp_path / "made", model, mean=[10, 20, 30], scale=[2, 4, 5])
    array = numpy.full((1, 3, 8, 8), 50, numpy.float32)
    expected = 0.1 * (50 - numpy.array([10, 20, 30])) / numpy.array([2, 4, 5])
    numpy.testing.assert_allclose(infer(job.outputs["xml"], array)[0], expected, rtol=1e-6)


def test_the_interface_is_told(model: Path, tmp_path: Path) -> None:
    interface = json.loads(run(tmp_path / "made", model).outputs["interface"].read_text())
    assert interface["inputs"][0]["shape"] == [1, 3, 8, 8]
    assert interface["outputs"] == [{"name": "y", "names": ["y"], "shape": [1, 3], "type": "f32"}]


def write_convolution(path: Path) -> Any:
    """Write a convolution over the whole picture; return its weights, 3x3x8x8."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy.random.default_rng(1).normal(size=(3, 3, 8, 8)).astype(numpy.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 1, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return weights


def test_half_precision_is_asked_for_and_kept(tmp_path: Path) -> None:
    # Small or uniform constants are left whole by some releases.
    weights = write_convolution(tmp_path / "net.onnx")
    whole = run(tmp_path / "f32", tmp_path / "net.onnx")
    half = run(tmp_path / "f16", tmp_path / "net.onnx", precision="f16")
    sizes = [job.outputs["bin"].stat().st_size for job in (whole, half)]
    assert sizes == [weights.size * 4, weights.size * 2]
    array = numpy.ones((1, 3, 8, 8), numpy.float32)
    expected = weights.astype(numpy.float16).astype(numpy.float32).sum(axis=(1, 2, 3))
    numpy.testing.assert_allclose(
        infer(half.outputs["xml"], array).ravel(), expected, rtol=1e-4, atol=1e-4
    )


def test_nothing_of_the_machine_is_in_the_xml(model: Path, tmp_path: Path) -> None:
    xml = run(tmp_path / "made", model).outputs["xml"].read_text()
    for word in (str(tmp_path), "Runtime_version", "conversion_parameters", "2026."):
        assert word not in xml


def test_a_missing_input_lists_the_ones_there_are(model: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        run(tmp_path / "made", model, input="data")
    assert caught.value.code is Code.MODEL
    assert "it has: x" in caught.value.found


def test_a_shape_that_cannot_be(model: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        run(tmp_path / "made", model, shape=(1, 3, 7, 7))
    assert "[1,3,8,8]" in caught.value.found


def write_positions(path: Path) -> Path:
    """Write the places where the product of two numbers and three weights is above zero."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "w"], ["product"]),
            helper.make_node("Relu", ["product"], ["above"]),
            helper.make_node("NonZero", ["above"], ["places"]),
            helper.make_node("Add", ["places", "one"], ["y"]),
        ],
        "positions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 1])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [2, "n"])],
        [
            numpy_helper.from_array(numpy.array([1, -1, 2], numpy.float32), "w"),
            numpy_helper.from_array(numpy.array([1], numpy.int64), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def test_an_output_without_fixed_size_names_the_operation_and_the_cut(tmp_path: Path) -> None:
    path = write_positions(tmp_path / "net.onnx")
    with pytest.raises(PipelineError) as caught:
        run(tmp_path / "made", path, (2, 1))
    error = caught.value
    assert "output y of net.xml depends on the values" in error.message
    assert "from NonZero" in error.found
    assert error.hint == 'Cut the model before it: [model.outputs."above"].'
    job = run(tmp_path / "cut", path, (2, 1), outputs=["above"])
    interface = json.loads(job.outputs["interface"].read_text())
    assert interface["outputs"][0]["shape"] == [2, 3]


def write_chain(path: Path) -> Path:
    """Write ``y = -b``, ``b = a + 1``, ``a = relu(x)``, of three numbers."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Add", ["a", "one"], ["b"]),
            helper.make_node("Neg", ["b"], ["y"]),
        ],
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(numpy.ones((1, 3), numpy.float32), "one")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("given", "outputs", "expected"),
    [
        ("x", ["a"], [[0, 0, 2]]),
        ("x", ["b"], [[1, 1, 3]]),
        ("x", ["y", "b"], [[-1, -1, -3], [1, 1, 3]]),
        ("a", [], [[1, 0, -3]]),
        ("a", ["b"], [[-1, 0, 3]]),
    ],
)
def test_a_network_is_cut_at_the_tensors_that_are_named(
    tmp_path: Path, given: str, outputs: list[str], expected: list[list[float]]
) -> None:
    import openvino

    model = write_chain(tmp_path / "chain.onnx")
    xml = run(tmp_path / "made", model, (1, 3), input=given, outputs=outputs).outputs["xml"]
    compiled = openvino.Core().compile_model(xml, "CPU")
    assert [port.any_name for port in compiled.outputs] == (outputs or ["y"])
    found = compiled({given: numpy.array([[-2, -1, 2]], numpy.float32)})
    assert [found[index].ravel().tolist() for index in range(len(expected))] == expected


@pytest.mark.parametrize(
    ("given", "outputs", "said"),
    [
        ("q", [], "no input 'q'; it has: x"),
        ("x", ["q"], "no output 'q'; it has: y"),
        ("b", ["a"], "not use the input 'b'"),
    ],
)
def test_a_cut_that_cannot_be_is_one_error(
    tmp_path: Path, given: str, outputs: list[str], said: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        run(
            tmp_path / "made",
            write_chain(tmp_path / "net.onnx"),
            (1, 3),
            input=given,
            outputs=outputs,
        )
    assert said in caught.value.found


def test_onnxruntime_answers_for_a_tensor_inside_of_the_network(tmp_path: Path) -> None:
    question = InferenceRequest(
        files={"model": write_chain(tmp_path / "chain.onnx")},
        inputs={"x": numpy.array([[-2, -1, 2]], numpy.float32)},
        outputs=["b", "y"],
        architecture=None,
        folder=tmp_path,
        python=tmp_path,
        seconds=1,
    )
    found = run_onnxruntime(question).outputs
    assert [each.ravel().tolist() for each in found] == [[1, 1, 3], [-1, -1, -3]]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "empty"), (b"<html>no model</html>", "a web page"), (b"\x00" * 1000, "damaged")],
)
def test_what_is_no_model_is_one_error(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "bad.onnx").write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        run(tmp_path / "made", tmp_path / "bad.onnx")
    assert caught.value.code is Code.MODEL
    assert said in caught.value.message
    assert "Traceback" not in caught.value.detail
    assert not (tmp_path / "made" / "net.xml").exists()


XML = b"""<?xml version="1.0"?>
<net version="11" name="n"><layers><layer type="Const" id="0"><data size="12" offset="4"/>
<rt_info><attribute name="decompression" version="0"/></rt_info></layer></layers>
<rt_info><MO_version value="1"/><Runtime_version value="2"/><conversion_parameters/>
<info name="OpenVINO Runtime" value="3"/><framework value="caffe"/></rt_info></net>"""


def test_the_canonical_form_drops_the_tools_and_keeps_the_meaning() -> None:
    text = canonical_xml(XML).decode()
    assert "decompression" in text
    assert '<framework value="caffe" />' in text
    for word in ("MO_version", "Runtime", "conversion_parameters"):
        assert word not in text


def test_the_canonical_form_is_canonical() -> None:
    once = canonical_xml(XML)
    assert canonical_xml(once) == once
    turned = XML.replace(b'version="11" name="n"', b'name="n"   version="11"')
    assert canonical_xml(turned) == once


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"<net>"])
def test_what_is_no_ir_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"xml|root"):
        canonical_xml(data)


def test_the_weights_end_where_the_last_constant_does() -> None:
    assert weights_size(XML) == 16


def _layers(*named: tuple[str, str]) -> bytes:
    layers = "".join(f'<layer id="{i}" name="{n}" type="{t}"/>' for i, (n, t) in enumerate(named))
    return f'<net name="n"><layers>{layers}</layers></net>'.encode()


def test_names_that_a_converter_counted_are_counted_anew() -> None:
    one = _layers(
        ("data_128", "Parameter"),
        ("Constant_1910", "Const"),
        ("42", "Const"),
        ("conv1/Dims409", "Const"),
        ("conv1", "Add"),
        ("norm11050/value10521711", "Const"),
        ("fire2/expand1x1", "Convolution"),
    )
    other = one.replace(b"1910", b"7").replace(b"42", b"116").replace(b"Dims409", b"Dims1074")
    text = canonical_xml(one)
    assert canonical_xml(other.replace(b"10521711", b"10001234")) == text
    for kept in (b'"data_128"', b'"conv1"', b'"fire2/expand1x1"'):
        assert kept in text
    assert [f'"Const_{n}"'.encode() in text for n in (1, 2, 3, 4, 5)] == [True] * 4 + [False]


def test_an_ir_that_cannot_be_read_back_is_refused_as_a_model() -> None:
    with pytest.raises(PipelineError) as caught:
        canonical_or_refused(b'<net name="&#27;"/>', "net")
    assert caught.value.code is Code.MODEL
    assert "invalid character number" in caught.value.found
