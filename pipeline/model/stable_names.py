"""Names of an IR's layers: those that a converter counted are counted anew, in the file's order."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter

# `Constant_1910` of OpenVINO; `116`, `conv1/Dims1074` and `norm11050/value10521711` of mo, whose
# counters begin above a hundred for all but the smallest networks.
_COUNTED = re.compile(r"[A-Z][A-Za-z]*_\d+|\d+|(?:.*/)?[^/]*\d{3,}(?:/.*)?", re.DOTALL)


def name_layers(net: ET.Element) -> None:
    """Give every layer with a counted name the name ``TYPE_N``, the N-th of its type in the file.

    The counters differ between builds of one converter, and between Pythons. Inputs keep their
    names, since configs and callers use them; nothing refers to a layer by its name but people.

    >>> net = ET.fromstring('<net><layers><layer name="Dims409" type="Const"/></layers></net>')
    >>> name_layers(net)
    >>> net.find("layers/layer").get("name")
    'Const_1'
    """
    for layers in net.iter("layers"):
        seen: Counter[str] = Counter()
        for layer in layers.findall("layer"):
            kind = layer.get("type", "")
            seen[kind] += 1
            if kind != "Parameter" and _COUNTED.fullmatch(layer.get("name", "")):
                layer.set("name", f"{kind}_{seen[kind]}")
