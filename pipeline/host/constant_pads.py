"""Tell that each Pad of an IR has constant sizes that are not negative, without OpenVINO.

Many models have such nodes, which are safe; reading the model in another process would find the
same, but takes longer than loading it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FORMATS = {"i32": "i", "i64": "q"}


def has_constant_pads(xml: bytes | bytearray, weights: bytes | bytearray) -> bool:
    """Return whether that is certain; false for anything unusual."""
    from xml.etree import ElementTree

    if not xml.isascii():
        return False
    try:
        net = ElementTree.fromstring(bytes(xml))  # noqa: S314 - the caller refuses declarations
        layers = {each.attrib["id"]: each for each in net.findall("layers/layer")}
        edges = net.findall("edges/edge")
        sources = {
            (each.attrib["to-layer"], each.attrib["to-port"]): each.attrib["from-layer"]
            for each in edges
        }
        pads = [each for each in net.iter("layer") if each.attrib.get("type") == "Pad"]
        # Nested graphs have layers and edges of their own.
        plain = len(sources) == len(edges) and len(layers) == len(list(net.iter("layer")))
        return plain and all(_is_constant(each, layers, sources, weights) for each in pads)
    except (ElementTree.ParseError, KeyError, ValueError, struct.error):
        return False


def _is_constant(
    pad: Element,
    layers: Mapping[str, Element],
    sources: Mapping[tuple[str, str], str],
    weights: bytes | bytearray,
) -> bool:
    ports = [each.attrib["id"] for each in pad.findall("input/port")]
    for port in ports[1:3]:
        source = layers[sources[pad.attrib["id"], port]]
        data = source.find("data")
        if source.attrib["type"] != "Const" or data is None:
            return False
        start, size = int(data.attrib["offset"]), int(data.attrib["size"])
        number = _FORMATS[data.attrib["element_type"]]
        count = size // struct.calcsize(number)
        if start < 0 or min(struct.unpack_from(f"<{count}{number}", weights, start)) < 0:
            return False
    return len(ports) in (3, 4)
