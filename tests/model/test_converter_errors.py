"""What converters print becomes one error that names the operation, the input or the shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.model_tables import Model
from pipeline.errors import PipelineError
from pipeline.execution.process import Finished
from pipeline.model.convert.converter_errors import converter_error
from pipeline.model.convert.request import Request

TOPOLOGY = """layer { name: "prob" type: "Wobble" bottom: "data" top: "prob" }"""
# As Model Optimizer 2024.6 and 2024.4, and OpenVINO 2026.4, print them.
CUSTOM = """\
[ ERROR ]  Exception occurred during running replacer "REPLACEMENT_ID" (<class 'x.CaffeLoader'>): \
Unexpected exception happened during extracting attributes for node prob.
Original exception message: Found custom layer "prob". Model Optimizer does not support this layer.
"""
UNKNOWN = """\
Original exception message: Operation 'Wobble' not supported. Please register it as custom op.
"""
NO_NODE = "[ ERROR ]  Exception occurred (<class 'x.UserDataRepack'>): No node with name dat\n"
KERNEL = """\
[ ERROR ]  Size of weights 1728 does not match kernel shape: [64  4  3  3]
    Possible reason is wrong channel number in input shape
[ ERROR ]  Cannot infer shapes or values for node "conv1".
[ ERROR ]  Cannot reshape weights to kernel shape
[ ERROR ]
[ ERROR ]  It can happen due to bug in custom shape infer function <function infer at 0x7f0>.
"""
POOL = """\
Check 'cmp::le(kernel, dim.get_length())' failed at pooling_shape_inference_util.hpp:149:
While validating node 'opset8::MaxPool MaxPool@0 (opset4::HSwish HSwish_5096[0]:f32[1,200,1,1]) -> \
(f32[?,200,1..,1..])' with friendly_name 'MaxPool@0':
Kernel after dilation has size (dim: 2) larger than the data shape after padding (dim: 1) at axis 0.
"""

ROUND = """\
[ FRAMEWORK ERROR ]  Exception message: 3:116 : Message type "mo_caffe.PoolingParameter" has no \
field named "round_mode".
    But you can still try. Model Optimizer is not able to parse /tmp/net.prototxt
"""
V1_INPUT = """\
[ FRAMEWORK ERROR ]  Exception message: 2:29 : 'layers { name: "data" type: "Input" }': Enum type \
"mo_caffe.V1LayerParameter.LayerType" has no value named "Input".
"""
TFLITE = """\
FrontEnd API failed with OpConversionFailure:
No translator found for TFLite_Detection_PostProcess node.
"""


def told(folder: Path, framework: str, output: str, *inputs: str) -> PipelineError:
    topology = folder / "net.prototxt"
    topology.write_text(TOPOLOGY)
    model = Model(framework=framework, files={}, inputs={}, precision="f32")  # type: ignore[arg-type]
    request = Request(
        name="net", model=model, files={"topology": topology}, python=folder, seconds=1
    )
    return converter_error(request, "Model Optimizer", Finished(1, output), inputs)


@pytest.mark.parametrize(
    ("framework", "output", "found"),
    [
        ("caffe", CUSTOM, "Wobble, the layer prob"),
        ("mxnet", UNKNOWN, "Wobble"),
        ("tflite", TFLITE, "TFLite_Detection_PostProcess"),
    ],
)
def test_an_operation_that_is_lacking_is_told_by_its_name(
    tmp_path: Path, framework: str, output: str, found: str
) -> None:
    error = told(tmp_path, framework, output)
    assert "has an operation that Model Optimizer cannot convert" in error.message
    assert error.found == found


def test_a_wrong_name_is_told_with_those_there_are(tmp_path: Path) -> None:
    error = told(tmp_path, "caffe", NO_NODE, "data")
    assert error.found == "no 'dat'; it has: data"
    assert "Kaldi inputs have no names" in told(tmp_path, "kaldi", NO_NODE).hint


@pytest.mark.parametrize(
    ("output", "node", "why"),
    [
        (KERNEL, "conv1", "Size of weights 1728 does not match kernel shape: [64  4  3  3]"),
        (POOL, "opset8::MaxPool", "Kernel after dilation has size"),
    ],
)
def test_shapes_that_cannot_be_are_told_with_the_layer(
    tmp_path: Path, output: str, node: str, why: str
) -> None:
    error = told(tmp_path, "caffe", output)
    assert "does not accept inputs of these shapes" in error.message
    assert error.where.endswith(f": {node}")
    assert error.found.startswith(why)


@pytest.mark.parametrize(
    ("output", "where", "found", "hint"),
    [
        (ROUND, "net.prototxt:3", "the field round_mode of PoolingParameter", "ceil_mode: false"),
        (V1_INPUT, "net.prototxt:2", "the value Input of LayerType", "Rename 'layers'"),
    ],
    ids=["a field", "a value"],
)
def test_a_field_of_the_topology_that_is_unknown_is_told_with_its_line(
    tmp_path: Path, output: str, where: str, found: str, hint: str
) -> None:
    error = told(tmp_path, "caffe", output)
    assert "does not support a field of the topology" in error.message
    assert (error.where, error.found) == (where, found)
    assert hint in error.hint
