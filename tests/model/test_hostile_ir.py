"""Models that someone else wrote: what cannot be is one plain error, and nothing is expanded."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.inspect_model import inspect_ir, inspect_network
from tests.tiny import write_model

PARAMETER = (
    b'<layer id="0" name="x" type="Parameter" version="opset1">'
    b'<data shape="1" element_type="f32"/>'
    b'<output><port id="0" precision="FP32" names="x"><dim>1</dim></port></output></layer>'
)
RESULT = (
    b'<layer id="1" name="r" type="Result" version="opset1">'
    b'<input><port id="0" precision="FP32"><dim>1</dim></port></input></layer>'
)
EDGE = b'<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>'


def net(layers: bytes = PARAMETER + RESULT, edges: bytes = EDGE) -> bytes:
    return b'<net name="n" version="11"><layers>%s</layers><edges>%s</edges></net>' % (
        layers,
        edges,
    )


def nested(depth: int) -> bytes:
    start = b"".join(
        b'<layer id="%d" type="If"><then_body><layers>' % level for level in range(depth)
    )
    return net(start + b"</layers></then_body></layer>" * depth, b"")


def write(folder: Path, xml: bytes) -> Path:
    (folder / "net.xml").write_bytes(xml)
    (folder / "net.bin").write_bytes(b"")
    return folder / "net.xml"


def test_the_one_that_the_others_are_made_of_is_read(tmp_path: Path) -> None:
    found = inspect_ir(write(tmp_path, net()))
    assert found["inputs"] == [{"name": "x", "shape": "[1]", "type": "f32"}]


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        (net(PARAMETER.replace(b'id="0" name', b"name") + RESULT), "a <layer> without id"),
        (net(PARAMETER.replace(b' type="Parameter"', b"") + RESULT), "a <layer> without type"),
        (net(edges=EDGE.replace(b' to-port="0"', b"")), "a <edge> without to-port"),
        (net(edges=EDGE.replace(b'to-port="0"', b'to-port="a"')), "invalid literal"),
        (net(PARAMETER + PARAMETER + RESULT), "two layers with the id 0"),
        (
            net(b"<layer id='0' type='Const'><data offset='-4' size='4'/></layer>", b""),
            "bytes -4 to 0",
        ),
        (nested(40), "nested bodies"),
        (nested(1500), "nested bodies"),
        (b'<?xml version="1.0" encoding="foo"?>' + net(), "unknown encoding"),
        (b'<!DOCTYPE net [<!ENTITY a "x">]>' + net(), "a document type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_ir_holds_is_one_error(tmp_path: Path, xml: bytes, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        inspect_ir(write(tmp_path, xml))
    assert caught.value.code is Code.MODEL
    assert said in caught.value.detail


def test_a_name_that_is_no_text_is_one_error(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    write_model(model)
    data = model.read_bytes()
    name = b"\x0a\x01y"
    assert name in data
    model.write_bytes(data.replace(b"\x01y", b"\x01\xca"))
    with pytest.raises(PipelineError) as caught:
        inspect_network(model)
    assert caught.value.code is Code.MODEL
    assert "codec can't decode" in caught.value.detail
