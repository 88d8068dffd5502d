"""`wasi-nn new` as a newcomer meets it: a model, a photo, a config that builds."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tomllib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from pipeline.execution.action import Job
from pipeline.model.caffe.seeded_weights import draw_weights
from tests.fixtures.kaldi_nets import nnet1
from tests.fork_server import Finished, wasi_nn
from tests.host.made_models import paddle_model, quantised_tflite, saved_model, tflite_model
from tests.model.test_convert import write_positions
from tests.model.test_signatures import tflite as signed_tflite
from tests.tiny import ROOT, Project, Run, make_project, write_model, write_picture

CAFFE = """\
name: "small"
input: "data" input_dim: 10 input_dim: 3 input_dim: 9 input_dim: 9
layer { name: "one" type: "Convolution" bottom: "data" top: "one"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "full" type: "InnerProduct" bottom: "one" top: "full"
  inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "full" top: "prob" }
"""


def run_new(project: Path, *arguments: str | Path) -> Finished:
    return wasi_nn("new", *arguments, cwd=project)


def drafted(project: Path, name: str, *arguments: str | Path) -> dict[str, Any]:
    done = run_new(project, name, *arguments)
    assert done.returncode == 0, done.stderr
    return tomllib.loads((project / f"configs/fixtures/{name}.toml").read_text())


def build(project: Project, *names: str) -> Run:
    run = project.doit(*(f"manifest:{name}" for name in names), seconds=1800)
    assert run.returncode == 0, run.output
    return run


def came_out(project: Project, name: str, case: str) -> Any:
    path = project.root / "artifacts" / name / "evidence" / case / "report.json"
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Project:
    """A project with the models and photos of a newcomer, and a folder outside of it."""
    made = make_project(tmp_path_factory.mktemp("new") / "project", toolchains)
    root = made.root
    write_colours(root / "colours.onnx")
    write_tokens(root / "tokens.onnx")
    (root / "float.tflite").write_bytes(tflite_model(0, (1, 8, 8, 3)))
    (root / "quantised.tflite").write_bytes(quantised_tflite(3, 128))
    (root / "signed.tflite").write_bytes(quantised_tflite(9, 0))
    (root / "net.nnet").write_bytes(nnet1())
    (root / "deploy.prototxt").write_text(CAFFE)
    weights = Job(
        inputs={"topology": root / "deploy.prototxt"},
        outputs={"weights": root / "small.caffemodel"},
        parameters={"name": "small", "seed": 3},
        scratch=root,
    )
    draw_weights(weights)
    saved_model(root / "saved")
    paddle_model(root / "paddle")
    # The program has no parameters, but an empty file would be refused.
    (root / "paddle/net.pdiparams").write_bytes(b"not read")
    outside = root.parent / "outside"
    outside.mkdir()
    write_model(outside / "net.onnx")
    write_picture(outside / "red.png", (250, 30, 40))
    return made


def write_colours(path: Path) -> None:
    """Write a classifier of the three colours of pictures of any size, NCHW, to probabilities."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Softmax", ["flat"], ["y"], axis=1),
        ],
        "colours",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
    )
    save(graph, path)


def write_tokens(path: Path) -> None:
    """Write a model that looks tokens up in a table of seven rows, and counts a mask."""
    rows = numpy.random.RandomState(1).randn(7, 4).astype(numpy.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["found"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
            helper.make_node("Mul", ["found", "wide"], ["y"]),
        ],
        "tokens",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "s"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["n", "s"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "s", 4])],
        [
            numpy_helper.from_array(rows, "table"),
            numpy_helper.from_array(numpy.array([2], numpy.int64), "last"),
        ],
    )
    save(graph, path)


def save(graph: Any, path: Path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


@pytest.fixture(scope="module")
def built(project: Project) -> Project:
    root = project.root
    # 'unit' keeps red the strongest; the ImageNet mean would too.
    drafted(root, "colours", "colours.onnx", "--image", "red.png", "--image", "blue.png")
    drafted(root, "tokens", "tokens.onnx")
    drafted(root, "float", "float.tflite", "--image", "red.png")
    drafted(root, "quantised", "quantised.tflite", "--image", "red.png")
    drafted(root, "signed", "signed.tflite", "--image", "red.png")
    build(project, "colours", "tokens", "float", "quantised", "signed")
    return project


def test_an_onnx_model_and_two_photos_become_a_verified_fixture(built: Project) -> None:
    assert came_out(built, "colours", "red")["top"][0]["index"] == 0
    assert came_out(built, "colours", "blue")["top"][0]["index"] == 2
    config = tomllib.loads((built.root / "configs/fixtures/colours.toml").read_text())
    assert config["model"]["inputs"]["x"]["shape"] == [1, 3, 224, 224]
    # As ONNX Runtime answered before there was an IR.
    assert [config["expect"][case]["top1"] for case in ("red", "blue")] == [0, 2]
    assert config["tensor"]["red"]["x"]["mean"] == [0.485, 0.456, 0.406]


def test_no_tolerance_is_drafted(built: Project) -> None:
    for name in ("colours", "tokens", "float", "quantised", "signed"):
        config = tomllib.loads((built.root / f"configs/fixtures/{name}.toml").read_text())
        assert set(config["golden"]) == {"executor"}


def test_tokens_stay_within_their_table(built: Project) -> None:
    config = tomllib.loads((built.root / "configs/fixtures/tokens.toml").read_text())
    assert config["tensor"]["tokens"]["input_ids"]["noise"]["high"] == 6
    assert config["tensor"]["tokens"]["attention_mask"]["constant"] == 1
    assert config["expect"]["tokens"] == {"golden_only": True}
    raw = (built.root / "artifacts/tokens").glob("tokens.input_ids-*.raw")
    assert set(numpy.fromfile(next(raw), "<i8")) <= set(range(7))


def test_a_quantised_model_is_fed_the_bytes_of_the_photo(built: Project) -> None:
    folder = built.root / "artifacts"
    [raw] = folder.glob("quantised/tensor-*-u8.rgb")
    [shifted] = folder.glob("signed/tensor-*-f32.rgb")
    bytes_ = numpy.fromfile(raw, "u1").astype(numpy.float32)
    assert (numpy.fromfile(shifted, "<f4") == bytes_ - 128).all()


def test_tflite_floats_are_fed_from_minus_one_to_one_in_nhwc(built: Project) -> None:
    [raw] = (built.root / "artifacts/float").glob("tensor-1x8x8x3-f32.rgb")
    pixels = numpy.fromfile(raw, "<f4").reshape(8, 8, 3)
    assert pixels[6, 6] == pytest.approx([(v - 127.5) / 127.5 for v in (250, 30, 40)], abs=1e-6)


@pytest.mark.network
def test_a_caffe_pair_in_either_order_becomes_a_verified_fixture(project: Project) -> None:
    one = drafted(project.root, "caffe", "deploy.prototxt", "small.caffemodel", "--image=red.png")
    arguments = ("small.caffemodel", "deploy.prototxt", "--image", "red.png")
    done = run_new(project.root, "other", *arguments)
    assert done.returncode == 0, done.stderr
    # Its file does not state the sizes of outputs, which does not make them dynamic.
    assert "no fixed size" not in done.stdout
    assert one["model"]["files"] == {"topology": "topology", "weights": "weights"}
    # The deploy files of Caffe's time have batches of ten.
    assert one["model"]["inputs"]["data"]["shape"] == [1, 3, 9, 9]
    assert one["tensor"]["red"]["data"]["colour"] == "BGR"
    assert one["tensor"]["red"]["data"]["mean"] == [104, 117, 123]
    build(project, "caffe", "other")
    assert came_out(project, "caffe", "red")["golden"]["executor"] == "opencv"


@pytest.mark.network
def test_a_kaldi_network_becomes_a_verified_fixture(project: Project) -> None:
    config = drafted(project.root, "kaldi", "net.nnet")
    assert config["model"]["inputs"] == {"Parameter": {"shape": [1, 6]}}
    build(project, "kaldi")


@pytest.mark.network
@pytest.mark.heavy
def test_a_saved_model_becomes_a_verified_fixture(project: Project) -> None:
    saved = drafted(project.root, "saved", "saved")
    assert saved["model"]["files"] == {"saved_model.pb": "saved_model"}
    build(project, "saved")
    assert came_out(project, "saved", "noise")["golden"]["executor"] == "tensorflow"


def test_the_named_signature_is_drafted_and_run(project: Project) -> None:
    (project.root / "two.tflite").write_bytes(signed_tflite(["enc", "dec"]))
    drafts = {
        name: drafted(project.root, name, "two.tflite", "--signature", name)
        for name in ("enc", "dec")
    }
    assert {name: each["model"]["signature"] for name, each in drafts.items()} == {
        "enc": "enc",
        "dec": "dec",
    }
    assert {name: [*each["model"]["inputs"]] for name, each in drafts.items()} == {
        "enc": ["enc_x"],
        "dec": ["dec_x"],
    }
    done = run_new(project.root, "none", "two.tflite")
    assert done.returncode == 1
    assert "found:    enc, dec" in done.stderr
    done = run_new(project.root, "none", "tiny.onnx", "--signature", "enc")
    assert "--signature applies to TFLite files and SavedModels only" in done.stderr


def test_a_layout_that_no_framework_has_is_confirmed(project: Project) -> None:
    options = ("odd", "tiny.onnx", "--layout", "NCWH")
    done = run_new(project.root, *options)
    assert done.returncode == 1
    assert "No framework has the layout NCWH" in done.stderr
    assert "add --yes" in done.stderr
    table = drafted(project.root, *options, "--yes", "--image", "red.png")["tensor"]["red"]["x"]
    assert (table["layout"], table["any_layout"]) == ("NCWH", True)


def test_an_output_without_fixed_size_is_said_at_once(project: Project) -> None:
    write_positions(project.root / "positions.onnx")
    done = run_new(project.root, "positions", "positions.onnx")
    assert done.returncode == 0, done.stderr
    assert "output y has no fixed size (2x?)" in " ".join(done.stdout.split())


def test_a_paddle_pair_is_drafted_in_either_order(project: Project) -> None:
    config = drafted(project.root, "paddle", "paddle/net.pdiparams", "paddle/net.pdmodel")
    assert config["model"]["files"] == {"model": "model", "params": "params"}
    assert config["model"]["inputs"] == {"x": {"shape": [1, 4]}}
    assert config["golden"]["executor"] == "paddle"


def test_files_from_elsewhere_are_copied_and_said(project: Project) -> None:
    root, outside = project.root, project.root.parent / "outside"
    done = run_new(root, "copied", outside / "net.onnx", "--image", outside / "red.png")
    assert done.returncode == 0, done.stderr
    assert "copied to models/copied/net.onnx, models/copied/red.png" in done.stdout
    copied = root / "models/copied/net.onnx"
    assert copied.read_bytes() == (outside / "net.onnx").read_bytes()
    linked = run_new(root, "linked", outside / "net.onnx", "--link")
    assert linked.returncode == 0, linked.stderr
    assert (root / "models/linked/net.onnx").is_symlink()


def test_what_is_large_is_not_copied_unasked(project: Project) -> None:
    outside = project.root.parent / "outside"
    initializer = numpy_helper.from_array(numpy.zeros(27 << 20, numpy.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [27 << 20])],
        [initializer],
    )
    save(graph, outside / "large.onnx")
    done = run_new(project.root, "large", outside / "large.onnx")
    (outside / "large.onnx").unlink()
    assert done.returncode == 1
    assert "--copy or --link" in done.stderr
    assert not (project.root / "models/large").exists()


def test_flags_take_the_place_of_guesses(project: Project) -> None:
    config = drafted(
        project.root,
        "told",
        *("colours.onnx", "--image", "red.png", "--values", "raw", "--colour", "BGR"),
        *("--shape", "1x3x32x48", "--license", "MIT", "--image-license", "CC0-1.0"),
        *("--precision", "f16", "--precision", "int8", "--precision", "int4"),
        *("--description", 'mine: "own"'),
    )
    assert config["description"] == 'mine: "own"'
    assert config["model"]["precision"] == "f16"
    for precision in ("int8", "int4"):
        variant = config["variant"][precision]
        assert variant["loss"] > 0
        assert variant["calibration"]["calibrate-red"]["x"]["image"] == "red"
    assert config["model"]["inputs"]["x"]["shape"] == [1, 3, 32, 48]
    tensor = config["tensor"]["red"]["x"]
    assert (tensor["colour"], tensor["range"], "mean" in tensor) == ("BGR", "0-255", False)
    assert config["source"]["model"]["license"] == "MIT"
    assert config["source"]["red"]["license"] == "CC0-1.0"


def test_a_model_that_prepares_its_pictures_is_noticed(project: Project) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["x", "mean"], ["centred"]),
            helper.make_node("Mul", ["centred", "factor"], ["y"]),
        ],
        "prepared",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 8])],
        [
            numpy_helper.from_array(
                numpy.array([123.7, 116.3, 103.5], numpy.float32).reshape(1, 3, 1, 1), "mean"
            ),
            numpy_helper.from_array(numpy.array([0.017], numpy.float32), "factor"),
        ],
    )
    save(graph, project.root / "prepared.onnx")
    config = drafted(project.root, "prepared", "prepared.onnx", "--image", "red.png")
    tensor = config["tensor"]["red"]["x"]
    assert (tensor["range"], "mean" in tensor) == ("0-255", False)


def test_labels_make_an_output_that_of_classes(project: Project) -> None:
    (project.root / "colours.txt").write_text("red\ngreen\nblue\n")
    config = drafted(
        project.root, "named", "tiny.onnx", "--image", "blue.png", "--labels", "colours.txt"
    )
    assert config["expect"]["blue"] == {"top1": 2, "labels": "labels"}
    assert config["source"]["labels"]["urls"] == ["file:colours.txt"]
    (project.root / "more.txt").write_text("red\ngreen\nblue\nblack\n")
    done = run_new(project.root, "more", "tiny.onnx", "--image", "blue.png", "--labels", "more.txt")
    assert "onnxruntime predicts 2 blue" in done.stdout
    assert "4 labels for 3 classes" in done.stdout


def test_a_grey_or_long_photo_is_said(project: Project) -> None:
    Image.new("L", (40, 40), 90).save(project.root / "grey.png")
    Image.new("RGB", (400, 40), (9, 90, 200)).save(project.root / "long.png")
    done = run_new(
        project.root, "shapes", "colours.onnx", "--image", "grey.png", "--image", "long.png"
    )
    assert done.returncode == 0, done.stderr
    assert "grey.png is grey" in done.stdout
    assert "it is padded, not stretched" in done.stdout
    config = tomllib.loads((project.root / "configs/fixtures/shapes.toml").read_text())
    assert config["tensor"]["long"]["x"]["fit"] == "pad"


def test_a_terminal_is_asked_for_what_cannot_be_known(project: Project) -> None:
    answers = ["1x3x32x48", "BGR", "raw", "Apache 2", "Apache-2.0", "CC0-1.0"]
    status, shown = on_a_terminal(
        project.root, ["asked", "colours.onnx", "--image", "red.png"], answers
    )
    assert status == 0, shown
    config = tomllib.loads((project.root / "configs/fixtures/asked.toml").read_text())
    assert config["model"]["inputs"]["x"]["shape"] == [1, 3, 32, 48]
    assert config["tensor"]["red"]["x"]["colour"] == "BGR"
    assert config["tensor"]["red"]["x"]["range"] == "0-255"
    assert config["source"]["model"]["license"] == "Apache-2.0"
    text = (project.root / "configs/fixtures/asked.toml").read_text()
    assert "guess:" not in text + shown
    assert config["source"]["red"]["license"] == "CC0-1.0"


def test_a_terminal_asks_again_for_a_shape_that_does_not_fit(project: Project) -> None:
    write_rows(project.root / "rows.onnx")
    status, shown = on_a_terminal(
        project.root, ["rows", "rows.onnx"], ["3x9", "nonsense", "2x5", "MIT"]
    )
    assert status == 0, shown
    config = tomllib.loads((project.root / "configs/fixtures/rows.toml").read_text())
    assert config["model"]["inputs"]["x"]["shape"] == [2, 5]


def write_rows(path: Path) -> None:
    """Write a model of rows, of which neither count nor width is known, but for the rank."""
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "rows",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, "w"])],
    )
    save(graph, path)


def on_a_terminal(folder: Path, arguments: list[str], answers: list[str]) -> tuple[int, str]:
    """Run the command on a pseudo-terminal, and type the answers; return status and screen."""
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli.main", "new", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    os.write(master, "".join(f"{answer}\n" for answer in answers).encode())
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # Linux says so when the other end is closed.
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    return process.wait(timeout=60), shown.decode()


def test_it_says_what_was_guessed_and_what_comes_next(project: Project) -> None:
    done = run_new(project.root, "said", "colours.onnx", "--image", "red.png")
    assert "x colour  RGB" in done.stdout
    assert "guess: most models of ONNX are trained on RGB" in done.stdout
    assert "red: onnxruntime predicts 0" in done.stdout
    assert "doit manifest:said" in done.stdout
    more = run_new(project.root, "both", "colours.onnx", "--precision=f32", "--precision=f16")
    assert "\n  doit manifest:both-f16\n" in more.stdout
    text = (project.root / "configs/fixtures/said.toml").read_text()
    assert 'colour = "RGB"  # guess: most models of ONNX are trained on RGB' in text


TWO = ("--input=input_ids=a.npy", "--input=input_ids=b.npy")
BAD = {
    "a model that is damaged": (["x", "cut.onnx"], "damaged or in another format"),
    "no such model": (["x", "none.onnx"], "There is no such file."),
    "two models": (["x", "tiny.onnx", "colours.onnx"], "more than one model"),
    "two models of two frameworks": (["x", "tiny.onnx", "float.tflite"], "more than one model"),
    "two topologies": (["x", "deploy.prototxt", "other.prototxt"], "more than one model"),
    "only weights": (["x", "small.caffemodel"], "requires a file .prototxt"),
    "a topology alone": (["x", "deploy.prototxt"], "requires a file .caffemodel"),
    "weights of another net": (
        ["x", "small.caffemodel", "other.prototxt"],
        "The weights do not match the topology",
    ),
    "an IR without weights": (["x", "net.xml"], "requires a file .bin"),
    "an IR that is none": (["x", "net.xml", "other.bin"], "damaged or in another format"),
    "an input that the model lacks": (["x", "tiny.onnx", "--input", "q=red.png"], "no input 'q'"),
    "no input file": (["x", "tiny.onnx", "--input", "x=none.npy"], "There is no such file."),
    "an array of another shape": (["x", "tiny.onnx", "--input", "x=small.npy"], "shape differs"),
    "raw elements of another size": (["x", "tiny.onnx", "--input", "x=short.raw"], "768 bytes"),
    "a text without its words": (
        ["x", "tokens.onnx", "--input", "input_ids=long.txt"],
        "--vocabulary FILE",
    ),
    "an array of another rank": (
        ["x", "tokens.onnx", "--input", "input_ids=small.npy"],
        "does not fit the input 'input_ids'",
    ),
    "different numbers of files": (
        ["x", "tokens.onnx", *TWO, *(f"--input=attention_mask={name}.npy" for name in "aba")],
        "different numbers of files",
    ),
    "a source model of no IR": (
        ["x", "tiny.onnx", "--source", "colours.onnx"],
        "Only an IR has a source model",
    ),
    "an address that is none": (["x", "http://elsewhere/net.onnx"], "Invalid source URL."),
    "a picture as a model": (["x", "tiny.onnx", "red.png"], "Give it as --image red.png"),
    "a state dict": (["x", "weights.pth"], "--architecture mobilenet_v2"),
    "a pickle that runs code": (["x", "hostile.pth"], "a pickle of os.system"),
    "a shape that is not told": (["x", "rows2.onnx"], "--shape x="),
    "a shape of another rank": (
        ["x", "tiny.onnx", "--shape", "x=3x8"],
        "does not accept this shape",
    ),
    "a shape that was guessed wrong": (["x", "wide.onnx"], "--shape x=1x3x48x320"),
    "a shape that is none": (["x", "tiny.onnx", "--shape", "x=3by8"], "Invalid shape"),
    "a shape of no input": (["x", "tiny.onnx", "--shape", "q=1x3x8x8"], "has no input 'q'"),
    "no picture": (["x", "tiny.onnx", "--image", "none.png"], "No such image."),
    "text as a picture": (["x", "tiny.onnx", "--image", "dodo.py"], "not an image"),
    "a picture like a thread": (
        ["x", "tiny.onnx", "--image", "thread.png"],
        "aspect ratio is too extreme",
    ),
    "a picture for words": (["x", "tokens.onnx", "--image", "red.png"], "is an image"),
    "no labels": (["x", "tiny.onnx", "--labels", "none.txt"], "Cannot read the labels"),
    "labels without an end": (["x", "tiny.onnx", "--labels", "/dev/zero"], "Not a regular file"),
    "a model without an end": (["x", "zero.onnx"], "Not a regular file"),
    "labels of another kind": (["x", "tiny.onnx", "--labels", "long.txt"], "at most 1048576 bytes"),
    "a text that is not UTF-8": (
        ["x", "../outside/net.onnx", "--description", "caf\udce9"],
        "is not UTF-8",
    ),
    "a licence that is none": (["x", "tiny.onnx", "--license", "Apache 2"], "'Apache 2'"),
    "a name that xml cannot hold": (["x", "escape.onnx"], "that an IR cannot represent"),
    "a size of 5000 digits": (
        ["x", "endless.prototxt", "small.caffemodel"],
        "an input with an invalid shape",
    ),
    "a size of 5000 hex digits": (
        ["x", "hexed.prototxt", "small.caffemodel"],
        "an input with an invalid shape",
    ),
    "a picture of too many pixels": (
        ["x", "tiny.onnx", "--image", "huge.png"],
        "Resize the photo first.",
    ),
    "layers that do not fit": (["x", "turned.onnx"], "Check that the model is complete"),
    "a path that is not UTF-8": (["x", "caf\udce9.onnx"], "The model's path is not UTF-8"),
    "labels that are no text": (
        ["x", "tiny.onnx", "--labels", "red.png"],
        "Cannot read the labels",
    ),
    "no name": (["Net 1", "tiny.onnx"], "Invalid fixture name"),
    "a name that is taken": (["tiny", "tiny.onnx"], "A fixture named 'tiny' exists already"),
    "no guest": (["x", "tiny.onnx", "--guest", "clasify"], "did you mean 'classify'"),
    "values of three channels": (
        ["x", "grey.onnx", "--image", "red.png", "--values", "imagenet"],
        "needs an input with three channels",
    ),
}


@pytest.fixture(scope="module")
def spoilt(project: Project) -> Path:
    root = project.root
    data = (root / "tiny.onnx").read_bytes()
    (root / "cut.onnx").write_bytes(data[: len(data) // 2])
    (root / "other.prototxt").write_text(CAFFE.replace("num_output: 5", "num_output: 6"))
    (root / "net.xml").write_text("<net></net>")
    (root / "other.bin").write_bytes(b"")
    numpy.save(root / "small.npy", numpy.zeros((1, 3, 2, 2), numpy.float32))
    (root / "short.raw").write_bytes(bytes(12))
    for name in "ab":
        numpy.save(root / f"{name}.npy", numpy.ones((1, 3), numpy.int64))
    (root / "weights.pth").write_bytes(pickle.dumps(OrderedDict(w=1.0), 2))
    # As a pickle begins that would run something if it were loaded.
    (root / "hostile.pth").write_bytes(
        b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00exitq\x01\x85R."
    )
    Image.new("1", (20000, 20000)).save(root / "huge.png")
    write_wide(root / "wide.onnx")
    write_turned(root / "turned.onnx")
    write_relu(root / "escape.onnx", 'da\nta"\x1b[2J]../..')
    dims = "input_dim: 9 input_dim: 9"
    (root / "endless.prototxt").write_text(CAFFE.replace(dims, f"input_dim: {'9' * 5000}"))
    (root / "hexed.prototxt").write_text(CAFFE.replace(dims, f"input_dim: 0x{'f' * 5000}"))
    (root / "zero.onnx").symlink_to("/dev/zero")
    (root / "long.txt").write_text("a class\n" * (1 << 18))
    write_rows(root / "rows2.onnx")
    Image.new("RGB", (2000, 2)).save(root / "thread.png")
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "grey",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 28, 28])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 28, 28])],
    )
    save(graph, root / "grey.onnx")
    return root


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_one_clear_error(spoilt: Path, what: str) -> None:
    arguments, said = BAD[what]
    done = run_new(spoilt, *arguments)
    assert done.returncode == 1, done.stdout
    assert said in done.stderr
    assert done.stderr.count("error[") == 1
    assert "Traceback" not in done.stderr
    assert not (spoilt / "configs/fixtures/x.toml").exists()
    assert not (spoilt / "models/x").exists()


def test_nothing_is_overwritten_unless_it_is_forced(project: Project) -> None:
    first = drafted(project.root, "mine", "tiny.onnx")
    refused = run_new(project.root, "mine", "colours.onnx")
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    config = project.root / "configs/fixtures/mine.toml"
    assert tomllib.loads(config.read_text()) == first
    forced = drafted(project.root, "mine", "colours.onnx", "--force")
    assert forced["source"]["model"]["urls"] == ["file:colours.onnx"]


def test_force_destroys_nothing_where_the_config_cannot_be_written(project: Project) -> None:
    mine = project.root / "models/barred/net.onnx"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    (project.root / "configs/fixtures/barred.toml").mkdir()
    done = run_new(project.root, "barred", project.root.parent / "outside/net.onnx", "--force")
    (project.root / "configs/fixtures/barred.toml").rmdir()
    assert done.returncode == 1
    assert "a folder has its name" in done.stderr
    assert mine.read_text() == "precious"


def test_it_needs_a_project(tmp_path: Path) -> None:
    write_model(tmp_path / "net.onnx")
    done = run_new(tmp_path, "net", "net.onnx")
    assert done.returncode == 1
    assert "No project found." in done.stderr


def test_a_folder_below_the_project_will_do(project: Project) -> None:
    (project.root / "below").mkdir()
    write_model(project.root / "below/net.onnx")
    done = run_new(project.root / "below", "below", "net.onnx")
    assert done.returncode == 0, done.stderr
    config = tomllib.loads((project.root / "configs/fixtures/below.toml").read_text())
    assert config["source"]["model"]["urls"] == ["file:below/net.onnx"]


def test_a_config_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, toolchains: Path
) -> None:
    made = make_project(tmp_path / "project", toolchains)
    (made.root / "configs/fixtures/tiny.toml").unlink()
    (made.root / "configs/fixtures").rmdir()
    # As good as a folder that is read-only, of which root takes no notice.
    (made.root / "configs/fixtures").write_text("a file")
    write_model(tmp_path / "net.onnx")
    done = run_new(made.root, "net", tmp_path / "net.onnx")
    assert done.returncode == 1
    assert "Cannot write the config." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (made.root / "models").exists()


def write_turned(path: Path) -> None:
    """Write a model that turns an axis which its input does not have."""
    graph = helper.make_graph(
        [helper.make_node("Transpose", ["x"], ["y"], perm=[0, 9])],
        "turned",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    save(graph, path)


def write_wide(path: Path) -> None:
    """Write a model that leaves the sides of pictures open, but can take one height alone."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 3], keepdims=0),
            helper.make_node("MatMul", ["mean", "w"], ["y"]),
        ],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(numpy.ones((48, 2), numpy.float32), "w")],
    )
    save(graph, path)


def write_relu(path: Path, name: str) -> None:
    """Write a model of one Relu, whose input has this name."""
    graph = helper.make_graph(
        [helper.make_node("Relu", [name], ["y"])],
        "hostile",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    save(graph, path)


def test_a_hostile_name_stays_inside_its_comment(project: Project) -> None:
    name = 'a"]\n[guest]\nprogram = "evil'
    write_relu(project.root / "hostile.onnx", name)
    config = drafted(project.root, "hostile", "hostile.onnx")
    assert config["guest"]["program"] == "classify"
    assert list(config["model"]["inputs"]) == [name]
