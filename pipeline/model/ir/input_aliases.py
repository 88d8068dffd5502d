"""Give each input of an IR its index as a further name."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection


def alias_inputs(net: ET.Element) -> None:
    """Add the index of each input to its names, unless another tensor has that name.

    Components pass inputs by name, and Wasmtime looks up names of tensors only, so that a guest
    which knows indices finds the input of any model by its index.

    >>> net = ET.fromstring('<net><layers><layer name="x" type="Parameter"><output>'
    ...                     '<port id="0" names="x"/></output></layer></layers></net>')
    >>> alias_inputs(net)
    >>> net.find(".//port").get("names")
    'x,0'
    """
    used = {name for port in net.iter("port") for name in port.get("names", "").split(",")}
    inputs = net.findall("layers/layer[@type='Parameter']")
    for index, layer in enumerate(inputs):
        port = layer.find("output/port")
        if port is not None and str(index) not in used:
            port.set("names", ",".join(filter(None, (port.get("names", ""), str(index)))))


def without_alias(names: Collection[str], index: int | None) -> set[str]:
    """Return the names that an input at ``index`` has in its framework; an output has no alias.

    >>> without_alias({"x", "0"}, 0)
    {'x'}
    """
    return {name for name in names if name != str(index)}
