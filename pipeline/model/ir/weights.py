"""The weights of an IR: their precision, and those that f16 could not represent."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.element_types import ELEMENT_TYPES
from pipeline.model.ir.ir_xml import read_net

_FLOATS = ("f16", "bf16", "f32", "f64")
_LARGEST_F16 = 65504.0


def weights_precision(xml: bytes) -> str:
    """Return the floating-point type of most weights, '' if there are none; raises ValueError."""
    counts: Counter[str] = Counter()
    for _, kind, _, size in _constants(read_net(xml)):
        if kind in _FLOATS:
            counts[kind] += size // ELEMENT_TYPES[kind].size
    return counts.most_common(1)[0][0] if counts else ""


def clamped_weights(xml: bytes, weights: Path) -> Mapping[str, tuple[int, int]]:
    """Return how many f16 weights are the largest of the type, and of how many, by layer.

    OpenVINO clamps what is beyond to it, so the layer computes with other weights. Raises
    ValueError.
    """
    import numpy

    net = read_net(xml)
    takers = _takers(net)
    found: dict[str, tuple[int, int]] = {}
    for layer, kind, offset, size in _constants(net):
        if kind != "f16" or not size:
            continue
        values = numpy.fromfile(weights, "<f2", size // 2, offset=offset)
        if many := int((numpy.abs(values) >= _LARGEST_F16).sum()):
            found[takers.get(layer.get("id", ""), layer.get("name", ""))] = (many, len(values))
    return found


def _constants(net: ET.Element) -> Iterator[tuple[ET.Element, str, int, int]]:
    """Yield each constant: its layer, element type, and offset and size in bytes."""
    for layer in net.iterfind(".//layer[@type='Const']"):
        data = layer.find("data")
        if data is not None:
            place = int(data.get("offset", "0")), int(data.get("size", "0"))
            yield layer, data.get("element_type", ""), *place


def _takers(net: ET.Element) -> Mapping[str, str]:
    """Return the name of a layer that uses each layer's output, through decompression."""
    layers = {layer.get("id", ""): layer for layer in net.iterfind("layers/layer")}
    edges = {
        edge.get("from-layer", ""): edge.get("to-layer", "") for edge in net.iterfind("edges/edge")
    }
    found = {}
    for source, target in edges.items():
        while layers[target].get("type") == "Convert" and target in edges:
            target = edges[target]
        found[source] = layers[target].get("name", "")
    return found
