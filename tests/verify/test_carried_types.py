"""Types that wasi-nn lacks are carried by others, and the source model gets its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from onnx import TensorProto, helper, save

from pipeline.cli.new.inputs import Overrides, draft_input
from pipeline.cli.new.terminal_prompts import asker
from pipeline.config.model_tables import Golden, Model, ModelInput, ModelOutput
from pipeline.model.convert.make_ir import make_ir
from pipeline.model.convert.request import Request
from pipeline.model.inspect.model_interface import TensorInfo
from pipeline.verify.executors.reference_executor import InferenceRequest
from pipeline.verify.golden import compare_with_source, infer_source, source_input

PYTHON = Path(sys.executable)
# The ONNX type, the IR's type by OpenVINO's name, and the one that carries it.
TYPES = [
    ("BOOL", "boolean", "u8"),
    ("INT8", "i8", "i32"),
    ("INT16", "i16", "i32"),
    ("UINT16", "u16", "i32"),
    ("UINT32", "u32", "i64"),
    ("UINT64", "u64", "i64"),
]
DTYPES = {"u8": numpy.uint8, "i32": numpy.int32, "i64": numpy.int64}


@pytest.mark.parametrize(("onnx_type", "own", "carrier"), TYPES)
def test_an_integer_is_carried_to_the_ir_and_to_its_source(
    tmp_path: Path, onnx_type: str, own: str, carrier: Any
) -> None:
    import openvino

    kind = getattr(TensorProto, onnx_type)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Identity", ["x"], ["same"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", kind, [1, 6])],
        [
            helper.make_tensor_value_info("f", TensorProto.FLOAT, [1, 6]),
            helper.make_tensor_value_info("same", kind, [1, 6]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "net.onnx")

    drafted = draft_input(
        TensorInfo(name="x", type=own, shape=(1, 6)), "onnx", Overrides(), False, asker(quiet=True)
    )
    assert drafted.declared["type"] == drafted.without["type"] == carrier

    given = ModelInput(shape=(1, 6), type=carrier)
    model = Model(
        framework="onnx",
        files={},
        inputs={"x": given},
        outputs={"f": ModelOutput(), "same": ModelOutput(type=carrier)},
        precision="f32",
    )
    files = {"model": tmp_path / "net.onnx"}
    work, apart = tmp_path / "work", tmp_path / "apart"
    work.mkdir()
    apart.mkdir()
    request = Request(name="net", model=model, files=files, python=PYTHON, seconds=120)
    xml, weights = make_ir(request, work)
    path = weights.with_suffix(".xml")
    path.write_bytes(xml)

    array = numpy.array([[0, 1, 1, 0, 1, 1] if own == "boolean" else [0, 1, 2, 100, 7, 127]])
    array = array.astype(DTYPES[carrier])
    network = openvino.Core().compile_model(path, "CPU")
    ours = network(array)
    outputs = {"f": ours[0], "same": ours[1]}
    assert outputs["f"].ravel().tolist() == array.ravel().tolist()
    assert outputs["same"].dtype == DTYPES[carrier]
    result = infer_source(
        "onnxruntime",
        InferenceRequest(
            files=files,
            inputs={"x": source_input(array, given)},
            outputs=list(outputs),
            architecture=None,
            folder=apart,
            python=PYTHON,
            seconds=60,
        ),
        rounded=False,
    )
    golden = compare_with_source(
        Golden(executor="onnxruntime"), model, path, {"x": array}, outputs, result, rounded=False
    )
    assert all(each.agrees for each in golden.outputs.values())
    # Rounding errors of a carrier are none of the integers.
    assert all(not each.floor for each in golden.outputs.values())
