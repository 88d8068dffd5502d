"""The canonical digest: of what a network computes, not of how its files are written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from random import Random

import pytest

from pipeline.model.ir.canonical_digest import canonical_digest
from tests.model.test_convert import run
from tests.tiny import write_model


@pytest.fixture
def pair(tmp_path: Path) -> tuple[bytes, Path]:
    write_model(tmp_path / "tiny.onnx")
    job = run(tmp_path / "made", tmp_path / "tiny.onnx", mean=[1, 2, 3])
    return job.outputs["xml"].read_bytes(), job.outputs["bin"]


def shuffled(xml: bytes) -> bytes:
    """Return the same network with other ids, names and order."""
    net = ET.fromstring(xml)
    chance = Random(1)
    layers = net.find("layers")
    assert layers is not None
    ids = {layer.attrib["id"]: str(1000 + index) for index, layer in enumerate(layers)}
    outer = {"Parameter", "Result"}
    for layer in layers:
        layer.set("id", ids[layer.attrib["id"]])
        if layer.attrib["type"] not in outer:
            layer.set("name", f"other_{layer.attrib['id']}")
    moving = [layer for layer in layers if layer.attrib["type"] not in outer]
    for layer in moving:
        layers.remove(layer)
    chance.shuffle(moving)
    layers.extend(moving)
    for edge in net.iterfind("edges/edge"):
        for end in ("from-layer", "to-layer"):
            edge.set(end, ids[edge.attrib[end]])
    return ET.tostring(net)


def test_other_names_ids_and_order_change_nothing(pair: tuple[bytes, Path]) -> None:
    xml, weights = pair
    assert shuffled(xml) != xml
    assert canonical_digest(shuffled(xml), weights) == canonical_digest(xml, weights)


def test_constants_may_lie_elsewhere_in_the_bin(pair: tuple[bytes, Path], tmp_path: Path) -> None:
    xml, weights = pair
    moved = tmp_path / "moved.bin"
    moved.write_bytes(bytes(64) + weights.read_bytes())
    later = re.sub(rb'offset="(\d+)"', lambda m: b'offset="%d"' % (int(m[1]) + 64), xml)
    assert later != xml
    assert canonical_digest(later, moved) == canonical_digest(xml, weights)


def test_one_bit_of_a_weight_changes_it(pair: tuple[bytes, Path], tmp_path: Path) -> None:
    xml, weights = pair
    data = bytearray(weights.read_bytes())
    data[3] ^= 1
    (tmp_path / "changed.bin").write_bytes(data)
    assert canonical_digest(xml, tmp_path / "changed.bin") != canonical_digest(xml, weights)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb'names="x', rb'names="z'),
        (rb'type="Subtract"|type="Add"', rb'type="Multiply"'),
        (rb"<dim>8</dim>", rb"<dim>9</dim>"),
    ],
)
def test_what_a_network_is_changes_it(pair: tuple[bytes, Path], old: bytes, new: bytes) -> None:
    xml, weights = pair
    changed = re.sub(old, new, xml, count=1)
    assert changed != xml
    assert canonical_digest(changed, weights) != canonical_digest(xml, weights)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (rb'offset="0"', rb'offset="99999999"', "a constant at bytes"),
        (rb'from-layer="\d+"', rb'from-layer="77777"', "an edge between"),
        (rb"</net>", b"", "not well-formed"),
    ],
)
def test_what_cannot_be_is_refused(
    pair: tuple[bytes, Path], old: bytes, new: bytes, said: str
) -> None:
    xml, weights = pair
    with pytest.raises(ValueError, match=said):
        canonical_digest(re.sub(old, new, xml, count=1), weights)
