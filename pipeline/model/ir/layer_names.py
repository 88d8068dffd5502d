"""Rename layers of an IR whose names contain a converter's counter."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter

# `Constant_1910` of OpenVINO; `116`, `conv1/Dims1074` and `norm11050/value10521711` of mo, whose
# counters exceed a hundred for all but the smallest networks.
_COUNTED = re.compile(r"[A-Z][A-Za-z]*_\d+|\d+|(?:.*/)?[^/]*\d{3,}(?:/.*)?", re.DOTALL)


def name_layers(net: ET.Element) -> None:
    """Rename every layer with a counter to ``TYPE_N``, the N-th of its type in the file.

    Counters differ between converter builds and Python versions. Inputs keep their names, since
    configs and callers use them; nothing else refers to a layer by name.

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
