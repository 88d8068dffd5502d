"""`wasi-nn new` with what people have: addresses, WAV, arrays, texts, and an existing IR."""

from __future__ import annotations

import hashlib
import json
import struct
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy
import openvino
import pytest
import wasmtime
from onnx import TensorProto, helper

from pipeline.cli.new.prompts import Answer, Question, not_known
from pipeline.cli.new.shapes import resolve_shape
from pipeline.errors import PipelineError
from pipeline.model.inspect.model_interface import TensorInfo
from tests.cli.new.test_new import (
    build,
    came_out,
    drafted,
    on_a_terminal,
    run_new,
    save,
    write_colours,
    write_tokens,
)
from tests.fork_server import wasi_nn
from tests.tensor.test_tokens import write_tokenizer
from tests.tiny import Project, make_project

_RATE = 8000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("served")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as made:
        thread = Thread(target=made.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Project:
    made = make_project(tmp_path_factory.mktemp("given") / "project", toolchains)
    root = made.root
    write_colours(root / "colours.onnx")
    write_tokens(root / "tokens.onnx")
    write_sound_model(root / "sound.onnx")
    write_wave(root / "Voice 1.wav")
    (root / "words.txt").write_text("[PAD]\n[UNK]\nthe\ncat\nsat\non\nmat\n")
    (root / "said.txt").write_text("The cat sat quietly\n")
    write_tokenizer(root / "tokenizer.json")
    (root / "sand.txt").write_text("A sandbox\n")
    red = numpy.zeros((1, 3, 4, 4), numpy.float32)
    red[0, 0] = 1
    numpy.save(root / "first.npy", red)
    numpy.save(root / "second.npy", red[:, ::-1])
    made_ir(root / "tiny.onnx", root / "own.xml", names=False)
    made_ir(root / "tiny.onnx", root / "half.xml", half=True)
    return made


def made_ir(model: Path, xml: Path, *, names: bool = True, half: bool = False) -> None:
    """Write an IR as its makers do; without ``names``, as one that is built from layers."""
    network = openvino.convert_model(model)
    if not names:
        for port in (*network.inputs, *network.outputs):
            port.get_tensor().set_names(set())
    openvino.save_model(network, xml, compress_to_fp16=half)


def write_sound_model(path: Path) -> None:
    """Write a model of the loudness of a sound of any length."""
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["audio"], ["size"]),
            helper.make_node("ReduceMean", ["size"], ["y"], axes=[1], keepdims=1),
        ],
        "loudness",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, [1, "samples"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
    )
    save(graph, path)


def write_wave(path: Path) -> None:
    samples = (numpy.sin(numpy.arange(_RATE // 4) / 9) * 9000).astype("<i2").tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, _RATE, 2 * _RATE, 2, 16)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(samples)) + samples
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.fixture(scope="module")
def built(project: Project) -> Project:
    root = project.root
    drafted(root, "sound", "sound.onnx", "--input", "audio=Voice 1.wav")
    drafted(root, "arrays", "colours.onnx", "--input", "first.npy", "--input", "x=second.npy")
    ids = numpy.array([[3, 4, 2]], numpy.int64)
    (root / "ids.i64").write_bytes(ids.tobytes())
    drafted(
        root, "ids", "tokens.onnx", "--input", "input_ids=ids.i64", "--shape=attention_mask=1x3"
    )
    drafted(
        *(root, "text", "tokens.onnx", "--input", "input_ids=said.txt"),
        *("--vocabulary", "words.txt", "--shape", "input_ids=1x6", "--shape", "attention_mask=1x6"),
    )
    drafted(
        *(root, "parts", "tokens.onnx", "--input", "input_ids=sand.txt"),
        *("--input", "attention_mask=sand.txt", "--vocabulary", "tokenizer.json"),
        *("--shape", "input_ids=1x6", "--shape", "attention_mask=1x6"),
    )
    drafted(root, "own", "own.xml", "--image", "red.png")
    drafted(root, "half", "half.xml", "--source", "tiny.onnx", "--image", "red.png")
    build(project, "sound", "arrays", "ids", "text", "parts", "own", "half")
    return project


def tensor(project: Project, name: str, pattern: str, dtype: str) -> Any:
    [path] = (project.root / "artifacts" / name).glob(pattern)
    return numpy.fromfile(path, dtype)


def test_a_wave_file_becomes_the_input_at_its_own_rate_and_length(built: Project) -> None:
    config = tomllib.loads((built.root / "configs/fixtures/sound.toml").read_text())
    assert config["model"]["inputs"]["audio"]["shape"] == [1, _RATE // 4]
    assert config["tensor"]["voice-1"]["audio"]["sound"] == {"source": "voice-1", "rate": _RATE}
    heard = tensor(built, "sound", "*.raw", "<f4")
    assert heard[:50] == pytest.approx(numpy.sin(numpy.arange(50) / 9) * 9000 / 32768, abs=1e-3)


def test_each_array_of_an_input_becomes_a_case(built: Project) -> None:
    config = tomllib.loads((built.root / "configs/fixtures/arrays.toml").read_text())
    assert config["model"]["inputs"]["x"]["shape"] == [1, 3, 4, 4]
    found = {case: came_out(built, "arrays", case)["top"][0]["index"] for case in config["tensor"]}
    assert found == {"first": 0, "second": 2}
    assert config["expect"]["second"]["top1"] == 2


def test_raw_elements_keep_their_bytes(built: Project) -> None:
    config = tomllib.loads((built.root / "configs/fixtures/ids.toml").read_text())
    assert config["tensor"]["ids"]["input_ids"]["array"] == {"source": "ids", "raw": True}
    assert tensor(built, "ids", "*input_ids*", "<i8").tolist() == [3, 4, 2]


def test_a_text_becomes_the_lines_of_its_words(built: Project) -> None:
    config = tomllib.loads((built.root / "configs/fixtures/text.toml").read_text())
    words = config["tensor"]["said"]["input_ids"]["text"]
    assert (words["unknown"], words["pad"], words["lower"]) == (1, 0, True)
    assert tensor(built, "text", "*input_ids*", "<i8").tolist() == [2, 3, 4, 1, 0, 0]


def test_a_text_becomes_what_its_tokenizer_makes_of_it(built: Project) -> None:
    assert tensor(built, "parts", "*input_ids*", "<i8").tolist() == [2, 6, 4, 5, 3, 0]
    assert tensor(built, "parts", "*attention_mask*", "<i8").tolist() == [1, 1, 1, 1, 1, 0]


def test_an_ir_is_checked_against_itself(built: Project) -> None:
    evidence = came_out(built, "own", "red")
    assert evidence["golden"]["executor"] == "openvino"
    [difference] = evidence["golden"]["outputs"].values()
    assert difference["max_absolute"] == 0
    assert evidence["top"][0]["index"] == 0
    done = run_new(built.root, "said-so", "own.xml", "--image", "red.png")
    assert "checked against itself" in done.stdout


def test_an_ir_is_checked_against_its_source_model(built: Project) -> None:
    config = tomllib.loads((built.root / "configs/fixtures/half.toml").read_text())
    assert config["model"]["precision"] == "f16"
    assert config["golden"]["files"] == {"model": "source-model"}
    assert came_out(built, "half", "red")["golden"]["executor"] == "onnxruntime"


def test_an_ir_that_changes_on_its_way_fails(built: Project) -> None:
    path = built.root / "configs/fixtures/own.toml"
    text = path.read_text()
    (built.root / "configs/fixtures/changed.toml").write_text(
        text.replace("[golden]", "[golden]\nfiles = { model = 'other', weights = 'bin' }")
        + '\n[source.other]\nurls = ["file:scaled.xml"]\nlicense = "MIT"\n'
        + '[source.bin]\nurls = ["file:scaled.bin"]\nlicense = "MIT"\n'
    )
    network = openvino.Core().read_model(built.root / "own.xml")
    for op in network.get_ops():
        if op.get_type_name() == "Constant" and op.get_element_type() == openvino.Type.f32:
            op.output(0).replace(openvino.opset13.constant(op.data * 1.5).output(0))
    openvino.save_model(network, built.root / "scaled.xml", compress_to_fp16=False)
    run = built.doit("verify:changed.red")
    path.with_name("changed.toml").unlink()
    assert run.returncode != 0
    assert "disagrees with openvino" in run.output


def test_an_existing_ir_is_converted_with_further_preprocessing(project: Project) -> None:
    done = wasi_nn(
        *("convert", "half.xml", "-o", "out/net.xml", "--input", "x[1,3,8,8]", "--mean", "1,2,3"),
        cwd=project.root,
    )
    assert done.returncode == 0, done.stderr


def test_an_address_is_fetched_and_pinned(project: Project, server: tuple[Path, str]) -> None:
    folder, address = server
    data = (project.root / "colours.onnx").read_bytes()
    (folder / "net.onnx").write_bytes(data)
    (folder / "red.png").write_bytes((project.root / "red.png").read_bytes())
    done = run_new(
        *(project.root, "fetched", f"{address}/net.onnx?download=1"),
        *("--image", f"{address}/red.png", "--shape", "1x3x8x8"),
    )
    assert done.returncode == 0, done.stderr
    config = tomllib.loads((project.root / "configs/fixtures/fetched.toml").read_text())
    assert config["source"]["model"]["urls"] == [f"{address}/net.onnx?download=1"]
    digest = hashlib.sha256(data).hexdigest()
    assert config["source"]["model"]["sha256"] == digest
    assert config["source"]["model"]["size"] == len(data)
    assert f"pinned by sha256 {digest}" in done.stdout
    assert not (project.root / "models/fetched").exists()
    # The build takes what was pinned, even if the server has another file by now.
    (folder / "net.onnx").write_bytes(b"another file")
    build(project, "fetched")
    manifest = json.loads((project.root / "artifacts/fetched/manifest.json").read_text())
    assert manifest["sources"]["model"]["sha256"] == digest


def test_an_address_without_a_file_is_one_error(project: Project, server: tuple[Path, str]) -> None:
    done = run_new(project.root, "none", f"{server[1]}/none.onnx")
    assert done.returncode == 1
    assert done.stderr.count("error[") == 1
    assert "404" in done.stderr


@pytest.mark.parametrize("option", ["model", "image", "source"])
def test_errors_name_a_fetched_file_by_its_address(
    project: Project, server: tuple[Path, str], option: str
) -> None:
    folder, address = server
    # Half of a model in two files, and no image.
    (folder / "half.bin").write_bytes(b"no model")
    (folder / "broken.png").write_bytes(b"no image")
    half, picture = f"{address}/half.bin", f"{address}/broken.png"
    arguments, named = {
        "model": ([half], half),
        "image": (["colours.onnx", "--shape", "1x3x8x8", "--image", picture], picture),
        "source": (["own.xml", "--source", half], half),
    }[option]
    done = run_new(project.root, "none", *arguments)
    assert done.returncode == 1
    [where] = [line for line in done.stderr.splitlines() if line.startswith("  where:")]
    assert named in where
    assert "wasi-nn-" not in done.stderr


def test_half_of_a_model_is_named_as_its_framework_is(project: Project) -> None:
    (project.root / "alone.xml").write_bytes((project.root / "own.xml").read_bytes())
    done = run_new(project.root, "none", "alone.xml")
    assert "A model of OpenVINO IR also requires a file .bin." in done.stderr


@pytest.mark.parametrize("text", ["ftp://host.example/a.onnx", "s3://bucket/a.onnx", "HTTP://a/b"])
@pytest.mark.parametrize("option", ["model", "--image", "--guest"])
def test_an_address_of_another_scheme_is_refused_as_one(
    project: Project, text: str, option: str
) -> None:
    arguments = [text] if option == "model" else ["colours.onnx", option, text]
    done = run_new(project.root, "none", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error[config]: Invalid source URL.\n  where:    " + text.lower())
    assert ("http: in lower case" in done.stderr) == text.startswith("HTTP")


def test_a_guest_at_an_address_is_pinned(project: Project, server: tuple[Path, str]) -> None:
    folder, address = server
    imports = '(import "wasi_ephemeral_nn" "load" (func (param i32 i32 i32 i32 i32) (result i32)))'
    text = f'(module {imports} (memory (export "memory") 1) (func (export "_start")))'
    data = bytes(wasmtime.wat2wasm(text))
    (folder / "remote.wasm").write_bytes(data)
    url = f"{address}/remote.wasm"
    options = ("--image", "red.png", "--shape", "1x3x8x8")
    done = run_new(project.root, "far", "colours.onnx", *options, "--guest", url)
    assert done.returncode == 0, done.stderr
    config = tomllib.loads((project.root / "configs/guests/remote.toml").read_text())
    digest = hashlib.sha256(data).hexdigest()
    assert config["file"]["urls"] == [url]
    assert (config["file"]["sha256"], config["file"]["size"]) == (digest, len(data))
    assert f"{url} pinned by sha256 {digest}" in done.stdout
    assert "use --guest-license" in done.stdout
    assert not (project.root / "guests/remote.wasm").exists()
    # The build takes what was pinned, even if the server has another file by now.
    (folder / "remote.wasm").write_bytes(b"another file")
    run = project.doit("guest:remote")
    assert run.returncode == 0, run.output


def test_the_option_for_an_unknown_licence_is_the_one_of_its_file(project: Project) -> None:
    image = ("colours.onnx", "--image", "red.png", "--shape", "1x3x8x8")
    of_image = run_new(project.root, "licence-a", *image, "--license", "MIT").stdout
    assert "the licence of red is unknown: set it in the config, or use --image-license" in of_image
    of_model = run_new(project.root, "licence-b", *image, "--image-license", "MIT").stdout
    assert "the licence of model is unknown: set it in the config, or use --license" in of_model


def test_who_does_not_know_gets_marked_guesses(project: Project) -> None:
    status, shown = on_a_terminal(
        project.root, ["unknown", "colours.onnx", "--image", "red.png"], ["?"] * 5
    )
    assert status == 0, shown
    text = (project.root / "configs/fixtures/unknown.toml").read_text()
    assert "don't know: take RGB, as a guess" in shown
    for key in ("shape", "colour", "range"):
        [line] = [each for each in text.splitlines() if each.startswith(f"{key} =")]
        assert "# guess" in line
    assert "unknown: replace by its SPDX identifier" in text


def test_who_does_not_know_a_shape_gets_an_example() -> None:
    border = TensorInfo(name="x", type="f32", shape=(2, None))
    settled = resolve_shape(border, "onnx", {}, False, not_known)
    assert settled.shape == (2, 48)
    assert settled.why.startswith("guess")
    question = Question(text="Module", flag="--architecture NAME", advice="Export the model.")
    with pytest.raises(PipelineError) as caught:
        not_known(question)
    assert caught.value.hint == "Export the model."
    assert not_known(Question(text="a", flag="b", fallback="c")) == Answer("c", known=False)
