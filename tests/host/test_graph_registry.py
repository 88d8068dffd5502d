"""Named graphs: how one is written, and which files of a folder it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.graph_registry import NamedGraph
from pipeline.host.model_types import Encoding


@pytest.mark.parametrize(
    ("text", "name", "folder", "encoding"),
    [
        ("models/net", "net", "models/net", Encoding.OPENVINO),
        ("onnx::models/net", "net", "models/net", Encoding.ONNX),
        ("cat=models/net", "cat", "models/net", Encoding.OPENVINO),
        ("cat=onnx::models/net", "cat", "models/net", Encoding.ONNX),
        ("onnx::cat=models/net", "cat", "models/net", Encoding.ONNX),
        ("a=b=paddle::models/net", "a=b", "models/net", Encoding.PADDLE),
        ("cat=onnx::models/a=b", "cat", "models/a=b", Encoding.ONNX),
        ("models/a=b", "a=b", "models/a=b", Encoding.OPENVINO),
        ("models/net.tflite", "net", "models/net.tflite", Encoding.TENSORFLOWLITE),
        ("cat=models/net.onnx", "cat", "models/net.onnx", Encoding.ONNX),
        ("tensorflow::models/net.v1", "net.v1", "models/net.v1", Encoding.TENSORFLOW),
    ],
)
def test_how_a_graph_is_written(text: str, name: str, folder: str, encoding: Encoding) -> None:
    assert NamedGraph.parse(text) == NamedGraph(name, Path(folder), encoding)


@pytest.mark.parametrize("text", ["", "onnx::", "cat=", "=onnx::", "cat=nothing::net", "ggml::net"])
def test_what_is_no_graph(text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        NamedGraph.parse(text)
    assert caught.value.code is Code.USAGE


def files(graph: NamedGraph) -> list[str]:
    return [path.name for path in graph.files()]


def test_which_of_several_models_a_graph_is(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    for stem in ("a", "b", "cat"):
        (folder / f"{stem}.xml").touch()
    for stem in ("a", "b", "net"):
        (folder / f"{stem}.bin").touch()
    with pytest.raises(PipelineError) as caught:
        NamedGraph("cat", folder).files()
    assert caught.value.found == "2 models: a, b"
    assert files(NamedGraph("a", folder)) == ["a.xml", "a.bin"]
    assert files(NamedGraph("x", folder / "b.xml")) == ["b.xml", "b.bin"]
    (folder / "net.xml").touch()
    assert files(NamedGraph("cat", folder)) == ["net.xml", "net.bin"]
    (folder / "cat.bin").touch()
    assert files(NamedGraph("cat", folder)) == ["cat.xml", "cat.bin"]
    for suffix in (".xml", ".bin"):
        (folder / f"model{suffix}").touch()
    assert files(NamedGraph("cat", folder)) == ["model.xml", "model.bin"]


def test_the_variables_of_a_saved_model_belong_to_it(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / "variables" / "variables.index").touch()
    (tmp_path / "variables" / "variables.data-00000-of-00001").touch()
    assert files(NamedGraph("x", tmp_path, Encoding.TENSORFLOW)) == [
        "saved_model.pb",
        "variables.data-00000-of-00001",
        "variables.index",
    ]
