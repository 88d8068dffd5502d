"""The canonical form of an IR's xml, independent of folder and command line."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from pipeline.errors import Code, PipelineError
from pipeline.model.ir.input_aliases import alias_inputs
from pipeline.model.ir.ir_xml import read_net
from pipeline.model.ir.layer_names import name_layers

# Metadata of converters. Other entries affect inference: without the marks of decompressed
# constants an f16 model gives other results.
_TOOL_ENTRIES = frozenset({"MO_version", "Runtime_version", "conversion_parameters"})


def canonical_xml(xml: bytes) -> bytes:
    """Return the xml without tool metadata, with stable layer names and uniform indentation.

    Attributes are sorted. The names of an input end with its index.

    Raises ValueError for anything else than the xml of an IR.
    """
    net = read_net(xml)
    for info in net.findall("rt_info"):
        for entry in list(info):
            if entry.tag in _TOOL_ENTRIES or entry.get("name") == "OpenVINO Runtime":
                info.remove(entry)
        if not len(info):
            net.remove(info)
    name_layers(net)
    alias_inputs(net)
    for element in net.iter():
        attributes = sorted(element.attrib.items())
        element.attrib.clear()
        element.attrib.update(attributes)
    ET.indent(net, " ")
    text: bytes = ET.tostring(net, encoding="utf-8")
    # With an encoding, ET writes its own XML declaration with other quotes.
    body = text.partition(b"?>")[2].lstrip() if text.startswith(b"<?xml") else text
    return b'<?xml version="1.0"?>\n' + body + b"\n"


def canonical_or_refused(xml: bytes, name: str) -> bytes:
    """Return the canonical xml of a converter's output; raises PipelineError (MODEL)."""
    try:
        return canonical_xml(xml)
    except ValueError as error:
        raise PipelineError(
            Code.MODEL,
            f"The converted IR of {name} cannot be read.",
            expected="the xml of an IR",
            found=str(error),
            hint="If names in the model have control characters, rename them and export it again.",
        ) from None


def weights_size(xml: bytes) -> int:
    """Return the required size of the .bin of this xml: the largest offset + size.

    Raises ValueError for anything else than the xml of an IR.
    """
    net = read_net(xml)
    constants = net.iterfind(".//layer[@type='Const']/data")
    ends = (int(data.get("offset", 0)) + int(data.get("size", 0)) for data in constants)
    return max(ends, default=0)
