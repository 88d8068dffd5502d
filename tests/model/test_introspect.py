"""What models tell of their inputs before they are converted, and hostile ones instead."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.caffe.seeded_weights import draw_weights
from pipeline.model.inspect.introspect import introspect
from pipeline.model.inspect.introspect_kaldi import introspect_kaldi
from pipeline.model.inspect.introspect_mxnet import introspect_mxnet
from pipeline.model.inspect.introspect_pytorch import introspect_pytorch
from pipeline.model.inspect.model_interface import PreprocessingStep
from tests.fixtures.kaldi_nets import nnet1, nnet2
from tests.host.made_models import paddle_model, quantised_tflite, saved_model, tensorflow_graph

NET = """\
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "scaled" type: "Power" bottom: "data" top: "scaled"
  power_param { scale: 0.5 shift: -1 } }
layer { name: "one" type: "Convolution" bottom: "scaled" top: "one"
  convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "one" top: "one" }
layer { name: "prob" type: "Softmax" bottom: "one" top: "prob" }
"""


def caffe(folder: Path, text: str) -> dict[str, Path]:
    files = {"topology": folder / "net.prototxt", "weights": folder / "net.caffemodel"}
    files["topology"].write_text(text)
    draw_weights(
        Job(
            inputs={"topology": files["topology"]},
            outputs={"weights": files["weights"]},
            parameters={"name": "net", "seed": 1},
            scratch=folder,
        )
    )
    return files


def test_a_topology_tells_its_input_its_end_and_what_it_does_first(tmp_path: Path) -> None:
    outline = introspect("caffe", caffe(tmp_path, NET), tmp_path)
    [given], [made] = outline.inputs, outline.outputs
    assert (given.name, given.shape) == ("data", (1, 3, 8, 8))
    assert given.steps == (PreprocessingStep("multiply", (0.5,)), PreprocessingStep("add", (-1.0,)))
    # A layer that works in place is no end of its own.
    assert made.name == "prob"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('type: "Input"', 'type: "Data"', "for training"),
        ("dim: 8 dim: 8", "dim: 8 dim: 0", "invalid shape"),
        ("dim: 8 dim: 8", "dim: 8 dim: -8", "invalid shape"),
        ("dim: 8 dim: 8", "dim: 8 dim: eight", "invalid sizes"),
    ],
)
def test_a_topology_without_a_usable_input_is_one_error(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    files = caffe(tmp_path, NET)
    files["topology"].write_text(NET.replace(old, new))
    with pytest.raises(PipelineError) as caught:
        introspect("caffe", files, tmp_path)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("data", "name", "width"), [(nnet1(), "Parameter", 6), (nnet2(), "Input", 2)]
)
def test_a_kaldi_network_tells_how_many_features_it_takes(
    tmp_path: Path, data: bytes, name: str, width: int
) -> None:
    (tmp_path / "net").write_bytes(data)
    [given] = introspect_kaldi({"model": tmp_path / "net"}).inputs
    assert (given.name, given.shape) == (name, (1, width))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        nnet1()[:20],
        b"\0B<Nnet3> ",
        nnet1().replace(b"\x04\x06\0\0\0", b"\x04\xff\xff\xff\xff", 2),
    ],
)
def test_what_is_no_kaldi_network_is_one_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net").write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        introspect_kaldi({"model": tmp_path / "net"})
    assert caught.value.code is Code.MODEL


def mxnet(folder: Path, symbol: object, *valued: str) -> dict[str, Path]:
    files = {"symbol": folder / "net.json", "params": folder / "net.params"}
    files["symbol"].write_text(json.dumps(symbol))
    names = (name.encode() for name in valued)
    stored = b"\0" * 64 + b"".join(struct.pack("<Q", len(name)) + name for name in names)
    files["params"].write_bytes(stored)
    return files


def test_an_mxnet_symbol_tells_the_variables_without_a_value(tmp_path: Path) -> None:
    variables = ["data", "conv_weight", "norm_moving_mean", "prob_label"]
    nodes: list[dict[str, object]] = [{"op": "null", "name": name} for name in variables]
    nodes.append({"op": "Convolution", "name": "conv"})
    nodes[0]["attrs"] = {"__shape__": "(0, 3, 8, 8)"}
    files = mxnet(tmp_path, {"nodes": nodes}, "arg:conv_weight", "aux:norm_moving_mean")
    [given] = introspect_mxnet(files).inputs
    assert (given.name, given.shape) == ("data", (None, 3, 8, 8))


@pytest.mark.parametrize(
    "symbol",
    [
        [],
        {},
        {"nodes": 3},
        {"nodes": [{"name": "data"}]},
        {"nodes": [{"op": "null", "name": "x", "attrs": {"__shape__": "(a,)"}}]},
        {"nodes": []},
    ],
)
def test_what_is_no_symbol_is_one_error(tmp_path: Path, symbol: object) -> None:
    with pytest.raises(PipelineError) as caught:
        introspect_mxnet(mxnet(tmp_path, symbol))
    assert caught.value.code is Code.MODEL


CODE = """\
class Inner(Module):
  def forward(self: __torch__.Inner,
    z: Tensor) -> Tensor:
    return z
class Net(Module):
  __parameters__ = []
  def forward(self: __torch__.Net,
    picture: Tensor,
    rate: int,
    state: Tensor) -> Tensor:
    return picture
"""


def torchscript(path: Path, data: bytes, code: str = CODE) -> dict[str, Path]:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", data)
        archive.writestr("net/code/__torch__.py", code)
    return {"torchscript": path}


def test_torchscript_tells_the_tensors_that_forward_takes(tmp_path: Path) -> None:
    files = torchscript(tmp_path / "net.pt", b"\x80\x02c__torch__\nNet\nq\x00)\x81}b.")
    outline = introspect_pytorch(files)
    assert [each.name for each in outline.inputs] == ["picture", "state"]
    assert outline.label == "torchscript"


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path("ran").write_text, ("it",))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x02", b"text", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x80\x02N."],
)
def test_a_damaged_archive_is_one_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(PipelineError) as caught:
        introspect_pytorch(torchscript(tmp_path / "net.pt", data))
    assert caught.value.code is Code.MODEL


def test_no_pickle_is_ever_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = pickle.dumps(_Evil(), protocol=2)
    introspect_pytorch(torchscript(tmp_path / "net.pt", hostile))
    (tmp_path / "weights.pth").write_bytes(hostile)
    assert introspect_pytorch({"torchscript": tmp_path / "weights.pth"}).label == "weights"
    assert not (tmp_path / "ran").exists()


def test_code_without_measure_is_refused(tmp_path: Path) -> None:
    files = torchscript(tmp_path / "net.pt", b"\x80\x02c__torch__\nNet\n.", " " * (17 << 20))
    with pytest.raises(PipelineError) as caught:
        introspect_pytorch(files)
    assert "more than" in caught.value.found


def test_tensorflow_and_paddle_are_told_by_openvino(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(tensorflow_graph())
    saved_model(tmp_path / "saved")
    paddle_model(tmp_path / "paddle")
    paddle = {"model": tmp_path / "paddle/net.pdmodel", "params": tmp_path / "other.pdiparams"}
    paddle["params"].write_bytes(b"")
    cases = (
        ("tensorflow", {"graph": tmp_path / "net.bin"}),
        ("tensorflow", {"saved_model.pb": tmp_path / "saved/saved_model.pb"}),
        ("paddle", paddle),
    )
    for number, (framework, files) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        [given] = introspect(framework, files, folder).inputs  # type: ignore[arg-type]
        assert (given.name.removesuffix(":0"), given.shape) == ("x", (1, 4))


def test_a_quantised_input_tells_its_scale(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(quantised_tflite(3, 128))
    outline = introspect("tflite", {"model": tmp_path / "net.tflite"}, tmp_path)
    [given] = outline.inputs
    assert (given.type, given.zero_point) == ("u8", 128)
    assert given.scale == pytest.approx(1 / 127.5)
