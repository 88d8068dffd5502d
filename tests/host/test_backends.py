"""Every backend behind the same functions: what it answers, and who chooses it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.backend_registry import frameworks
from pipeline.host.graph_registry import NamedGraph
from pipeline.host.host import Host
from pipeline.host.model_types import Encoding
from tests.host.conftest import Ir
from tests.host.made_models import paddle_model, saved_model, tensorflow_graph, tflite_model
from tests.host.script import FILL, Script
from tests.host.test_model_formats import onnx_model

VALUES = numpy.array([-1, 2, -3, 4], "<f4").tobytes()
RELU = [0, 2, 0, 4]


def onnx_relu(kind: int = 1, dims: tuple[int | str | None, ...] = (1, 4)) -> bytes:
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", kind, dims)],
        [helper.make_tensor_value_info("y", kind, dims)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


def torchscript(_dims: object = None) -> bytes:
    import io

    torch = pytest.importorskip("torch")
    saved = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.zeros(1, 4)), saved)
    return saved.getvalue()


@dataclass(frozen=True)
class Way:
    """A backend, an encoding that it reads, and its model of a Relu."""

    framework: str
    encoding: Encoding
    number: int
    model: Callable[[], bytes]
    # TorchScript tells neither types nor shapes.
    typed: bool = True

    @property
    def options(self) -> dict[str, Any]:
        return {"backends": {self.encoding: self.framework}}

    def load(self, script: Script, model: bytes | None = None) -> int:
        builders = script.builders(self.model() if model is None else model)
        return script.call("load", builders, 1, self.number, 0, script.room())


WAYS = [
    Way("openvino", Encoding.ONNX, 1, onnx_relu),
    Way("onnxruntime", Encoding.ONNX, 1, onnx_relu),
    Way("openvino", Encoding.TENSORFLOW, 2, tensorflow_graph),
    Way("openvino", Encoding.TENSORFLOWLITE, 4, tflite_model),
    Way("litert", Encoding.TENSORFLOWLITE, 4, tflite_model),
    Way("torch", Encoding.PYTORCH, 3, torchscript, typed=False),
]
every_way = pytest.mark.parametrize(
    "way", WAYS, ids=[f"{each.encoding.value}-{each.framework}" for each in WAYS]
)
typed_ways = pytest.mark.parametrize(
    "way",
    [each for each in WAYS if each.typed],
    ids=[f"{each.encoding.value}-{each.framework}" for each in WAYS if each.typed],
)


def f32(ran: Any, at: int, count: int = 4) -> list[float]:
    return list(map(float, numpy.frombuffer(ran.bytes_at(at, 4 * count), "<f4")))


@every_way
def test_an_inference_and_its_contexts(tmp_path: Path, way: Way) -> None:
    script = Script()
    way.load(script)
    out, other, size = script.room(16), script.room(16), script.room()
    for _ in range(2):
        script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], VALUES))
    script.call("set_input", 1, 0, script.tensor(1, [1, 4], bytes(16)))
    script.call("compute", 1)
    script.call("compute", 0)
    script.call("get_output", 0, 0, out, 16, size)
    script.call("get_output", 1, 0, other, 16, script.room())
    ran = script.run(tmp_path, **way.options)
    assert ran.errnos == [0] * 9, ran.messages
    assert f32(ran, out) == RELU
    assert f32(ran, other) == [0] * 4
    assert ran.u32(size) == 16


@every_way
def test_the_errors_are_those_of_every_backend(tmp_path: Path, way: Way) -> None:
    script = Script()
    way.load(script)
    script.call("init_execution_context", 0, script.room())
    good = script.tensor(1, [1, 4], VALUES)
    out, needed = script.room(16), script.room()
    script.call("compute", 0)
    script.call("set_input", 0, 1, good)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], VALUES + b"\0"))
    script.call("set_input", 0, 0, script.tensor(1, [1, 0], b""))
    script.call("set_input", 0, 0, good)
    script.call("get_output", 0, 0, out, 16, script.room())
    script.call("compute", 0)
    script.call("get_output", 0, 1, out, 16, script.room())
    script.call("get_output", 0, 0, out, 15, needed)
    script.call("unload", 0)
    script.call("compute", 0)
    ran = script.run(tmp_path, **way.options)
    # A program that tells no shape may take an empty tensor.
    empty = 1 if way.typed else 0
    assert ran.errnos == [0, 0, 1, 1, 1, empty, 0, 5, 0, 1, 7, 0, 1], ran.messages
    assert ran.u32(needed) == 16
    assert ran.bytes_at(out, 16) == bytes([FILL]) * 16


@typed_ways
def test_a_tensor_of_another_type_or_shape_is_refused(tmp_path: Path, way: Way) -> None:
    script = Script()
    way.load(script)
    script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(4, [1, 4], VALUES))
    script.call("set_input", 0, 0, script.tensor(1, [4, 1], VALUES))
    script.call("set_input", 0, 0, script.tensor(1, [4], VALUES))
    ran = script.run(tmp_path, **way.options)
    assert ran.errnos == [0, 0, 1, 1, 1]
    assert "is f32, but the tensor is i32" in ran.messages
    assert "has the shape 1x4, but the tensor has 4x1" in ran.messages


@every_way
@pytest.mark.parametrize("data", [b"", b"garbage", bytes(64)], ids=["none", "garbage", "zeros"])
def test_what_is_no_model_gives_5_and_no_handle(tmp_path: Path, way: Way, data: bytes) -> None:
    if way.framework == "torch":
        pytest.importorskip("torch")
    script = Script()
    handle = script.room()
    script.call("load", script.builders(data), 1, way.number, 0, handle)
    ran = script.run(tmp_path, **way.options)
    assert ran.errnos == [5]
    assert ran.bytes_at(handle, 4) == bytes([FILL]) * 4


@every_way
@pytest.mark.parametrize("cut", [0.3, 0.7, 0.95])
def test_a_truncated_model_gives_5(tmp_path: Path, way: Way, cut: float) -> None:
    model = way.model()
    script = Script()
    way.load(script, model[: int(len(model) * cut)])
    errnos = script.run(tmp_path, **way.options).errnos
    # A frozen graph may end between two nodes, and then is one.
    assert errnos == [5] or (way.encoding is Encoding.TENSORFLOW and errnos == [0])


@pytest.mark.parametrize("framework", ["openvino", "onnxruntime"])
def test_an_onnx_model_that_ends_before_its_opset_gives_5(tmp_path: Path, framework: str) -> None:
    model = onnx_relu()
    # The opset is the last field, of six bytes.
    assert model[-6:-4] == b"\x42\x04"
    script = Script()
    script.call("load", script.builders(model[:-6]), 1, 1, 0, script.room())
    assert script.run(tmp_path, backends={Encoding.ONNX: framework}).errnos == [5]


def test_a_model_that_onnxruntime_cannot_name_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its own text is not UTF-8 then; it would tell so on stdout, which is the guest's."""
    model = onnx_relu().replace(b"Relu", b"R\x85\x85u")
    script = Script()
    script.call("load", script.builders(model), 1, 1, 0, script.room())
    assert script.run(tmp_path, backends={Encoding.ONNX: "onnxruntime"}).errnos == [5]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("cut", [0.3, 0.7, 0.95])
def test_a_truncated_ir_gives_5(
    tmp_path: Path, models: dict[str, Ir], part: int, cut: float
) -> None:
    parts = [models["add"].xml, models["add"].bin]
    parts[part] = parts[part][: int(len(parts[part]) * cut)]
    script = Script()
    script.load(parts[0], parts[1], script.room())
    assert script.run(tmp_path).errnos == [5]


@pytest.mark.parametrize("target", [1, 2, 3, 9])
@pytest.mark.parametrize("way", WAYS[:5], ids=lambda way: f"{way.encoding.value}-{way.framework}")
def test_a_target_that_is_not_here_names_those_that_are(
    tmp_path: Path, way: Way, target: int
) -> None:
    script = Script()
    script.call("load", script.builders(way.model()), 1, way.number, target, script.room())
    ran = script.run(tmp_path, **way.options)
    assert ran.errnos == [0 if target == 3 else 1]
    assert target == 3 or "0 cpu on CPU" in ran.messages


def test_targets_are_the_devices_that_openvino_reports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pipeline.host.backend import Tuning
    from pipeline.host.backends.openvino import OpenVINO
    from pipeline.host.model_types import Target

    class Core:
        def devices(self) -> tuple[str, ...]:
            return "CPU", "GPU.0", "GPU.1", "NPU"

    backend = OpenVINO(Tuning())
    monkeypatch.setattr(backend, "_core", Core)
    assert backend.targets() == {
        Target.CPU: "CPU",
        Target.GPU: "GPU.0",
        Target.TPU: "NPU",
        Target.AUTO: "CPU",
    }


@pytest.mark.parametrize(
    ("framework", "encoding", "model"),
    [
        ("onnxruntime", Encoding.ONNX, lambda: onnx_relu(dims=("n", 4))),
        ("litert", Encoding.TENSORFLOWLITE, lambda: tflite_model(dims=(-1, 4))),
    ],
)
def test_a_dynamic_axis_takes_any_size(
    tmp_path: Path, framework: str, encoding: Encoding, model: Callable[[], bytes]
) -> None:
    script = Script()
    number = 1 if encoding is Encoding.ONNX else 4
    script.call("load", script.builders(model()), 1, number, 0, script.room())
    script.call("init_execution_context", 0, script.room())
    sizes = []
    for rows in (3, 1, 2):
        script.call("set_input", 0, 0, script.tensor(1, [rows, 4], VALUES * rows))
        script.call("compute", 0)
        out = script.room(48)
        sizes.append((rows, out, script.room()))
        script.call("get_output", 0, 0, out, 48, sizes[-1][2])
    ran = script.run(tmp_path, backends={encoding: framework})
    assert ran.errnos == [0] * 11, ran.messages
    for rows, out, size in sizes:
        assert ran.u32(size) == 16 * rows
        assert f32(ran, out, 4 * rows) == RELU * rows


@pytest.mark.parametrize(("kind", "number", "dtype"), [(10, 0, "<f2"), (11, 2, "<f8")])
def test_onnxruntime_computes_in_the_models_own_type(
    tmp_path: Path, kind: int, number: int, dtype: str
) -> None:
    script = Script()
    script.call("load", script.builders(onnx_relu(kind)), 1, 1, 0, script.room())
    script.call("init_execution_context", 0, script.room())
    data = numpy.array([-1, 2, -3, 4], dtype).tobytes()
    script.call("set_input", 0, 0, script.tensor(number, [1, 4], data))
    script.call("compute", 0)
    out = script.room(len(data))
    script.call("get_output", 0, 0, out, len(data), script.room())
    ran = script.run(tmp_path, backends={Encoding.ONNX: "onnxruntime"})
    assert ran.errnos == [0] * 5, ran.messages
    assert numpy.frombuffer(ran.bytes_at(out, len(data)), dtype).tolist() == RELU


@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_a_guests_model_opens_no_file_through_onnxruntime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    script = Script()
    model = onnx_model(str(secret) if way == "absolute" else "secret")
    script.call("load", script.builders(model), 1, 1, 0, script.room())
    ran = script.run(tmp_path, backends={Encoding.ONNX: "onnxruntime"})
    assert ran.errnos == [5]
    assert "guests may not load" in ran.messages


def named(folder: Path, graph: NamedGraph, dims: list[int], **options: Any) -> Any:
    script = Script()
    name = graph.name.encode()
    script.call("load_by_name", script.put(name), len(name), script.room())
    script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(1, dims, VALUES))
    script.call("compute", 0)
    out = script.room(16)
    script.call("get_output", 0, 0, out, 16, script.room())
    ran = script.run(folder, graphs=[graph], **options)
    return ran.errnos, f32(ran, out), ran.messages


@pytest.mark.parametrize("framework", ["openvino", "onnxruntime"])
def test_a_named_models_weights_may_lie_beside_it_and_nowhere_else(
    tmp_path: Path, framework: str
) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "weights").write_bytes(numpy.array([5, 5, 5, 5], "<f4").tobytes())
    options = {"backends": {Encoding.ONNX: framework}}
    graph = NamedGraph("net", folder, Encoding.ONNX)
    (folder / "net.onnx").write_bytes(onnx_model("weights"))
    errnos, values, messages = named(tmp_path, graph, [4], **options)
    assert errnos == [0] * 5, messages
    assert values == [4, 7, 2, 9]
    (folder / "net.onnx").write_bytes(onnx_model("../weights"))
    errnos, _, messages = named(tmp_path, graph, [4], **options)
    assert errnos[0] == 5
    assert "outside its folder" in messages


@pytest.mark.parametrize(
    ("encoding", "make"),
    [(Encoding.TENSORFLOW, saved_model), (Encoding.PADDLE, paddle_model)],
)
def test_what_comes_by_name_alone(
    tmp_path: Path, encoding: Encoding, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "net")
    graph = NamedGraph.parse(f"some={encoding.value}::{tmp_path / 'net'}")
    errnos, values, messages = named(tmp_path, graph, [1, 4])
    assert errnos == [0] * 5, messages
    assert values == RELU


def test_torchscript_of_a_guest_is_refused_until_its_owner_trusts_it(tmp_path: Path) -> None:
    script = Script()
    script.call("load", script.builders(b"PK\3\4anything"), 1, 3, 0, script.room())
    script.call("load", script.builders(b"PK\3\4anything"), 1, 5, 0, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos == [2, 2]
    assert "`graphs` pytorch::FOLDER" in ran.messages


def test_torchscript_by_name(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.pt").write_bytes(torchscript())
    graph = NamedGraph.parse(f"pytorch::{tmp_path / 'net'}")
    assert named(tmp_path, graph, [1, 4])[:2] == ([0] * 5, RELU)


def test_a_failing_torchscript_is_one_message(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Picky(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return torch.matmul(x, torch.zeros(7, 7))

    (tmp_path / "net").mkdir()
    traced = torch.jit.trace(Picky(), torch.zeros(1, 7))
    torch.jit.save(traced, str(tmp_path / "net" / "net.pt"))
    graph = NamedGraph.parse(f"pytorch::{tmp_path / 'net'}")
    errnos, _, messages = named(tmp_path, graph, [1, 4])
    assert errnos == [0, 0, 0, 5, 5]
    assert "the host failed" not in messages


@pytest.mark.parametrize(
    ("framework", "module", "encoding", "number", "package"),
    [
        ("onnxruntime", "onnxruntime", Encoding.ONNX, 1, "onnxruntime"),
        (
            "litert",
            "ai_edge_litert.interpreter",
            Encoding.TENSORFLOWLITE,
            4,
            "ai-edge-litert",
        ),
        ("torch", "torch", Encoding.PYTORCH, 3, "torch"),
    ],
)
def test_a_framework_that_is_not_installed_says_how_to_install_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    framework: str,
    module: str,
    encoding: Encoding,
    number: int,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    script = Script()
    script.call("load", script.builders(onnx_relu()), 1, number, 0, script.room())
    ran = script.run(tmp_path, backends={encoding: framework})
    assert ran.errnos == [2]
    assert f"`pip install {package}`" in ran.messages


def test_a_framework_is_a_module_that_no_list_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host import backends

    (tmp_path / "fake.py").write_text(
        "from pipeline.host.model_types import Encoding\n"
        "from pipeline.host.backend import Framework\n"
        "FRAMEWORK = Framework(name='fake', encodings=(Encoding.GGML,), start=None)\n"
    )
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    try:
        frameworks.cache_clear()
        assert frameworks()["fake"].encodings == (Encoding.GGML,)
    finally:
        frameworks.cache_clear()
        monkeypatch.undo()
        sys.modules.pop("pipeline.host.backends.fake", None)


def test_a_framework_that_does_not_read_an_encoding_is_one_clear_error() -> None:
    with pytest.raises(PipelineError) as caught:
        Host(backends={Encoding.ONNX: "litert"})
    assert caught.value.code is Code.USAGE
    assert caught.value.expected == "onnxruntime, openvino"


@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_a_hint_and_threads_reach_openvino(models: dict[str, Ir], hint: Any) -> None:
    from pipeline.host.backend import Tuning
    from pipeline.host.backends.openvino import OpenVINO

    backend = OpenVINO(Tuning(hint=hint, threads=1))
    add = models["add"].folder
    graph = backend.load_files(Encoding.OPENVINO, [add / "model.xml", add / "model.bin"], "CPU")
    compiled = graph._compiled
    assert compiled.property("PERFORMANCE_HINT") == hint.upper()
    assert compiled.property("INFERENCE_NUM_THREADS") == "1"
    # Else processors with VNNI give other results for compressed weights.
    assert compiled.property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == "0"


def test_compiled_models_are_kept_for_the_next_host_and_a_guests_own_are_not(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    cache = tmp_path / "deep" / "cache"
    script = Script()
    script.load(models["add"].xml, models["add"].bin, script.room())
    assert script.run(tmp_path, model_cache=cache).errnos == [0]
    assert list(cache.iterdir()) == []
    graph = NamedGraph("add", models["add"].folder)
    expected = [0] * 5, [-1, 12, 17, 34]
    assert named(tmp_path, graph, [1, 4], model_cache=cache)[:2] == expected
    kept = [path for path in cache.iterdir() if path.stat().st_size]
    assert kept
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert named(tmp_path, graph, [1, 4], model_cache=cache)[:2] == expected
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    for path in kept:
        path.write_bytes(b"spoilt" * 100)
    assert named(tmp_path, graph, [1, 4], model_cache=cache)[:2] == expected


def test_a_cache_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError) as caught:
        Host(model_cache=tmp_path / "file" / "cache")
    assert caught.value.code is Code.USAGE
