"""`wasi-nn convert` and `wasi-nn inspect` as a user meets them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy
import onnx
import openvino
import pytest
from onnx import TensorProto, helper
from openvino import op
from openvino import opset13 as ops

from pipeline.protobuf.wire import bytes_field, varint
from tests.fork_server import wasi_nn
from tests.tiny import write_model


def inspected(folder: Path, file: str) -> dict[str, Any]:
    done = wasi_nn("inspect", "--json", file, cwd=folder)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "net.onnx")
    return tmp_path


@pytest.fixture
def converted(folder: Path) -> Path:
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--mean", "1,2,3", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_model_becomes_a_pair_that_inspect_shows(converted: Path) -> None:
    found = inspected(converted, "out/net.xml")
    assert sorted(path.name for path in (converted / "out").iterdir()) == ["net.bin", "net.xml"]
    assert found["belong together"]
    # Its index is a further name of an input.
    assert found["inputs"] == [{"name": "0, x", "shape": "[1,3,8,8]", "type": "f32"}]
    assert found["parameters"]["f32"] > 0
    assert found["precision"] == "f32"
    assert len(found["canonical digest"]) == 64


def test_what_convert_says_is_what_inspect_finds(folder: Path) -> None:
    done = wasi_nn("convert", "net.onnx", "-o", "out", cwd=folder)
    assert inspected(folder, "out/net.xml")["canonical digest"] in done.stdout


def test_mean_and_precision_change_the_network(folder: Path) -> None:
    digests = set()
    for number, more in enumerate(
        ([], ["--mean", "1,2,3"], ["--mean", "1,2,3", "--scale", "2,2,2"], ["--reverse-channels"])
    ):
        done = wasi_nn("convert", "net.onnx", "-o", f"{number}", "--no-check", *more, cwd=folder)
        assert done.returncode == 0, done.stderr
        digests.add(inspected(folder, f"{number}/net.xml")["canonical digest"])
    assert len(digests) == 4


def test_the_same_command_writes_the_same_bytes(folder: Path) -> None:
    pairs = []
    for place in ("one", "other place"):
        wasi_nn(
            "convert", "net.onnx", "-o", place, "--no-check", "--input", "x[1,3,8,8]", cwd=folder
        )
        pairs.append([(folder / place / f"net.{end}").read_bytes() for end in ("xml", "bin")])
    assert pairs[0] == pairs[1]


def test_onnx_is_shown_too(folder: Path) -> None:
    found = inspected(folder, "net.onnx")
    assert found["format"] == "ONNX"
    assert found["inputs"][0]["name"] == "x"
    shown = wasi_nn("inspect", "net.onnx", cwd=folder).stdout
    assert "  x  [" in shown


def test_a_swapped_bin_is_told_and_fails(converted: Path) -> None:
    weights = converted / "out/net.bin"
    weights.write_bytes(weights.read_bytes() + b"\0\0\0\0")
    done = wasi_nn("inspect", "out/net.xml", cwd=converted)
    assert done.returncode == 1
    assert "belong together: no" in done.stdout


def damage(folder: Path, name: str) -> None:
    data = (folder / "net.onnx").read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])


def lacking(folder: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Wobble", ["x"], ["y"], domain="my.own")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 9
    onnx.save(model, folder / "lacking.onnx")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no.onnx"], "There is no such file."),
        (["cut.onnx"], "damaged or in another format"),
        (["cut.tflite"], "damaged or in another format"),
        (["lacking.onnx"], "my.own.Wobble"),
        (["net.onnx", "--input", "q[1,3,8,8]"], "no input 'q'; it has: x"),
        (["net.onnx", "--input", "x[1,4,8,8]"], "not [1,4,8,8]"),
        (["net.onnx", "--input", "x[1,3,8"], "Invalid --input"),
        (["net.onnx", "--input", "x"], "has no shape"),
        (["net.onnx", "--name", "../net"], "Invalid file name"),
        (["net.onnx", "--mean", "1,2"], "no axis of 2 channels"),
        (["net.onnx", "--input", "x[1,3,8,8]", "--mean", "1,2"], "no axis of 2 channels"),
        (["net.onnx", "--input", "x[1,3,0,8]"], "an axis of size 0"),
        (["net.onnx", "--input", "x[1,3,99999999,8]"], "The input exceeds the memory of any guest"),
        (["net.onnx", "--architecture", "mobilenet_v2"], "needs a PyTorch state dict"),
        (["state.pth"], "only weights, and no architecture is given"),
        (["net.prototxt"], "requires a file .caffemodel"),
        (["net.json", "net.pdiparams"], "OpenVINO does not read Paddle models in JSON"),
        (["net.onnx", "--framework", "caffe"], ".caffemodel (weights)"),
        (["net.caffemodel"], "requires a file .prototxt"),
        (["empty"], "not a SavedModel"),
        (["notes.txt"], "Unknown model format"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_converted_is_one_error(
    folder: Path, arguments: list[str], said: str
) -> None:
    damage(folder, "cut.onnx")
    damage(folder, "cut.tflite")
    lacking(folder)
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("notes")
    (folder / "net.caffemodel").write_bytes(b"x")
    (folder / "net.prototxt").write_text("layer { }")
    (folder / "net.json").write_text('{"base_code": {"magic": "pir"}}')
    (folder / "net.pdiparams").write_bytes(b"x")
    (folder / "state.pth").write_bytes(b"\x80\x02}q\x00.")
    done = wasi_nn("convert", *arguments, "-o", "out", cwd=folder)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("error[") == 1
    assert "Traceback" not in done.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "option", ["--mean=nan,1,1", "--scale=0,1,1", "--scale=1,-1,1", "--mean=x"]
)
def test_numbers_that_cannot_be_are_told_with_the_usage(folder: Path, option: str) -> None:
    done = wasi_nn("convert", "net.onnx", "-o", "out", option, cwd=folder)
    assert done.returncode == 2
    assert f"argument {option.partition('=')[0]}" in done.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("net.xml", b"<net><layers>", "no element found"),
        ("net.xml", b"<html></html>", "cannot be read"),
        ("net.onnx", b"<html></html>", "starts with b'<html>"),
        ("net.caffemodel", b"", "not a caffemodel"),
        ("net.zip", b"", "Unsupported file type"),
    ],
)
def test_what_cannot_be_shown_is_one_error(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "net.bin").write_bytes(b"")
    done = wasi_nn("inspect", name, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_one_error(folder: Path) -> None:
    (folder / "out").write_text("a file")
    done = wasi_nn("convert", "net.onnx", "-o", "out", cwd=folder)
    assert done.returncode == 1
    assert "Cannot write the IR." in done.stderr


def write_external(folder: Path, location: str) -> Path:
    """Write a model that keeps its one weight in another file."""
    scale = TensorProto(name="scale", data_type=TensorProto.FLOAT, dims=[1, 3])
    scale.data_location = TensorProto.EXTERNAL
    scale.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        "outside",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [scale],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    folder.mkdir(exist_ok=True)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder


def test_external_data_is_found_beside_the_model(tmp_path: Path) -> None:
    write_external(tmp_path, "weights/net.data")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/net.data").write_bytes(b"\0\0\x80\x3f" * 3)
    done = wasi_nn("convert", "net.onnx", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # Weights of one value are kept once.
    assert (tmp_path / "out/net.bin").read_bytes().startswith(b"\0\0\x80\x3f")


def test_external_data_may_be_a_link_and_may_be_named_too(tmp_path: Path) -> None:
    """As in the cache of huggingface_hub."""
    folder = write_external(tmp_path / "snapshot", "net.data")
    (tmp_path / "blob").write_bytes(b"\0\0\x80\x3f" * 3)
    (folder / "net.data").symlink_to("../blob")
    (folder / "net.onnx").rename(tmp_path / "other")
    (folder / "net.onnx").symlink_to("../other")
    for more in ([], ["net.data"]):
        done = wasi_nn("convert", "net.onnx", *more, "-o", "out", cwd=folder)
        assert done.returncode == 0, done.stderr
    done = wasi_nn("convert", "net.onnx", "../blob", "-o", "out", cwd=folder)
    assert "more than one model" in done.stderr


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("../net.data", "is outside its folder"),
        ("/etc/hostname", "is outside its folder"),
        ("missing.data", "file is missing"),
        ("*/_ORT_MEM_ADDR_/*", "is outside its folder"),
        ("link.data", "file is missing"),
    ],
)
def test_external_data_elsewhere_is_one_clear_error(
    tmp_path: Path, location: str, said: str
) -> None:
    (tmp_path / "net.data").write_bytes(bytes(12))
    folder = write_external(tmp_path / "model", location)
    (folder / "link.data").symlink_to(tmp_path / "gone.data")
    done = wasi_nn("convert", "net.onnx", "-o", "out", cwd=folder)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "out").exists()


def hide_external_data(path: Path) -> None:
    """Write the tag of external_data as 0x6A + 2^32, of which protobuf keeps 32 bits."""
    model = onnx.ModelProto.FromString(path.read_bytes())
    [tensor] = (each.SerializeToString() for each in model.graph.initializer)
    assert tensor.count(b"\x6a") == 1
    hidden = tensor.replace(b"\x6a", varint(0x6A + 2**32))
    del model.graph.initializer[:]
    graph = model.graph.SerializeToString() + bytes_field(5, hidden)
    model.ClearField("graph")
    path.write_bytes(model.SerializeToString() + bytes_field(7, graph))


@pytest.mark.parametrize(
    "command", ["convert net.onnx -o out", "inspect net.onnx", "new x net.onnx"]
)
@pytest.mark.parametrize("location", ["*/_ORT_MEM_ADDR_/*", "../net.data", "net.data"])
@pytest.mark.parametrize("hidden", [True, False])
def test_a_model_reads_no_memory_and_no_hidden_file(
    tmp_path: Path, command: str, location: str, hidden: bool
) -> None:
    (tmp_path / "net.data").write_bytes(bytes(12))
    (tmp_path / "dodo.py").touch()
    folder = write_external(tmp_path / "configs", location)
    if hidden:
        hide_external_data(folder / "net.onnx")
    elif location == "net.data":
        return
    done = wasi_nn(*command.split(), cwd=folder)
    assert done.returncode == 1, done.stdout
    expected = "is damaged" if hidden else "outside its folder"
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("kind", "precision"), [("u4", "int4"), ("i4", "int4"), ("u8", "int8")])
def test_compressed_weights_are_told(tmp_path: Path, kind: str, precision: str) -> None:
    x = ops.parameter([1, 8], numpy.float32, "x")
    stored = op.Constant(getattr(openvino.Type, kind), openvino.Shape([4, 8]), [1, 2, 3, 4] * 8)
    wide = ops.convert(stored, openvino.Type.f32)
    net = ops.matmul(x, ops.multiply(wide, numpy.ones((4, 1), numpy.float32)), False, True)
    openvino.save_model(openvino.Model([net], [x]), tmp_path / "net.xml", compress_to_fp16=False)
    found = inspected(tmp_path, "net.xml")
    assert found["precision"] == precision
    assert found["parameters"][kind] == 32


def test_as_json_it_tells_what_was_written(folder: Path) -> None:
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert (found["framework"], found["precision"]) == ("onnx", "f32")
    for end in ("xml", "bin"):
        data = (folder / found[end]["path"]).read_bytes()
        assert found[end]["sha256"] == hashlib.sha256(data).hexdigest()
    assert found["canonical digest"] == inspected(folder, "out/net.xml")["canonical digest"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--precision", "int8"], "requires calibration tensors"),
        (["--precision", "int4"], "int4 requires calibration tensors"),
        (["--precision", "f16", "--calibration", "t.raw"], "does not apply to f16"),
        (
            ["--precision", "int8", "--calibration", "t.raw", "--group-size", "32"],
            "--group-size does not apply to int8",
        ),
        (
            ["--precision", "int4", "--calibration", "t.raw", "--group-size", "1"],
            "--group-size is out of range",
        ),
        (
            ["--precision", "int8", "--calibration", "t.raw", "--loss", "2"],
            "--loss is out of range",
        ),
        (["--precision", "int8", "--calibration", "t.raw"], "768 bytes: 1x3x8x8 of f32"),
        (["--precision", "int8", "--calibration", "none.raw"], "no file"),
    ],
)
def test_a_calibration_that_cannot_be_is_one_clear_error(
    folder: Path, arguments: list[str], said: str
) -> None:
    (folder / "t.raw").write_bytes(bytes(4))
    done = wasi_nn("convert", "net.onnx", "-o", "out", *arguments, cwd=folder)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (folder / "out").exists()
