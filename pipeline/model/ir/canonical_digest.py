"""A canonical digest of an IR, independent of folder, converter build, layer order and names.

A layer's digest covers its type, attributes, constant data and the digests of its inputs, so the
digests of the outputs cover the whole network. Excluded are the names of layers except inputs and
outputs, the offsets of constants in the .bin, and metadata of the tools.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from pipeline.model.ir.ir_xml import read_net

# Entries of a layer's rt_info that only refer to names.
_NAMES_ALONE = frozenset({"fused_names", "old_api_map_order", "old_api_map_element_type"})
_ENDS = ("Result", "Assign")
# Nesting depth of loops and branches; real networks have two or three.
_DEEPEST = 32


def canonical_digest(xml: bytes, weights: Path) -> str:
    """Return the canonical digest of an IR as 64 hex digits.

    Raises ValueError when the xml is not that of an IR, or a constant is outside of the .bin.
    """
    net = read_net(xml)
    if weights.stat().st_size == 0:
        return _Network(net, b"").digest()
    with (
        weights.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return _Network(net, data).digest()


class _Network:
    """A network, or the body of a loop or branch."""

    def __init__(self, net: ET.Element, weights: bytes | mmap.mmap, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} nested bodies")
        self._weights = weights
        self._depth = depth
        self._layers: dict[str, ET.Element] = {}
        for layer in net.iterfind("layers/layer"):
            name = _attribute(layer, "id")
            if name in self._layers:
                raise ValueError(f"two layers with the id {name}")
            _attribute(layer, "type")
            self._layers[name] = layer
        self._inputs: dict[str, list[tuple[int, str, str]]] = {}
        for edge in net.iterfind("edges/edge"):
            source, target = _attribute(edge, "from-layer"), _attribute(edge, "to-layer")
            if source not in self._layers or target not in self._layers:
                raise ValueError(f"an edge between layers {source} and {target}")
            at = (int(_attribute(edge, "to-port")), source, _attribute(edge, "from-port"))
            self._inputs.setdefault(target, []).append(at)
        # What an untrusted file has thousands of is looked up, not searched for.
        results = self.of_type("Result")
        self._outputs = {
            source for result in results for _, source, _ in self._inputs.get(result, ())
        }
        self._ports: dict[str, dict[str | None, int]] = {}
        self._found: dict[str, str] = {}

    def digest(self) -> str:
        """Return the digest of all outputs, in the order of their indices."""
        for name in self._in_order():
            self._found[name] = self._of_layer(name)
        of_kind = {
            kind: [self._found[name] for name in self.of_type(kind)]
            for kind in ("Parameter", *_ENDS)
        }
        # The order of a network's states is not specified.
        of_kind["Assign"].sort()
        return _hashed(of_kind)

    def of_type(self, *kinds: str) -> list[str]:
        """Return the ids of the layers of these types in file order."""
        return [name for name, layer in self._layers.items() if layer.attrib["type"] in kinds]

    def _in_order(self) -> list[str]:
        """Return the layers in topological order; raises ValueError for a cycle."""
        waiting = {name: len(self._inputs.get(name, ())) for name in self._layers}
        takers: dict[str, list[str]] = {}
        for target, inputs in self._inputs.items():
            for _, source, _ in inputs:
                takers.setdefault(source, []).append(target)
        ready = [name for name, count in waiting.items() if count == 0]
        for name in ready:
            for target in takers.get(name, ()):
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
        if len(ready) != len(self._layers):
            raise ValueError("the layers form a cycle")
        return ready

    def _of_layer(self, name: str) -> str:
        layer = self._layers[name]
        kind = layer.attrib["type"]
        data = layer.find("data")
        attributes = dict(data.attrib) if data is not None else {}
        content = ""
        if kind == "Const":
            content = self._content(attributes)
        ports = [
            {
                "precision": port.get("precision"),
                "dims": [dim.text for dim in port.iterfind("dim")],
                # Names of inputs and outputs are part of the interface.
                "names": sorted((port.get("names") or "").split(","))
                if kind == "Parameter" or name in self._outputs
                else [],
            }
            for port in layer.iterfind("output/port")
        ]
        sources = [
            (at, self._found[source], self._position(source, port))
            for at, source, port in sorted(self._inputs.get(name, ()))
        ]
        return _hashed(
            {
                "type": kind,
                "version": layer.get("version"),
                "attributes": attributes,
                "content": content,
                "information": self._information(layer),
                "ports": ports,
                "inputs": [list(source[1:]) for source in sources],
                "bodies": self._bodies(layer),
            }
        )

    def _position(self, source: str, port: str) -> int:
        """Return the index of an output port: ids differ between converters."""
        if source not in self._ports:
            ports: dict[str | None, int] = {}
            for index, each in enumerate(self._layers[source].iterfind("output/port")):
                ports.setdefault(each.get("id"), index)
            self._ports[source] = ports
        return self._ports[source].get(port, -1)

    def _content(self, attributes: dict[str, str]) -> str:
        start = int(attributes.pop("offset", "0"))
        size = int(attributes.pop("size", "0"))
        if start < 0 or size < 0 or start + size > len(self._weights):
            raise ValueError(f"a constant at bytes {start} to {start + size} of its .bin")
        return hashlib.sha256(memoryview(self._weights)[start : start + size]).hexdigest()

    def _information(self, layer: ET.Element) -> list[dict[str, str]]:
        entries = [dict(entry.attrib) for entry in layer.iterfind("rt_info/attribute")]
        return sorted(
            (entry for entry in entries if entry.get("name") not in _NAMES_ALONE),
            key=lambda entry: sorted(entry.items()),
        )

    def _bodies(self, layer: ET.Element) -> Mapping[str, object]:
        """Return the digests of the bodies of a loop or branch, and their port maps."""
        found: dict[str, object] = {}
        for part in layer:
            if part.tag.endswith("body"):
                body = _Network(part, self._weights, self._depth + 1)
                found[part.tag] = body.digest()
                places = {
                    name: index
                    for kind in ("Parameter", "Result")
                    for index, name in enumerate(body.of_type(kind))
                }
                maps = layer.find(part.tag.replace("body", "port_map"))
                found[f"{part.tag} map"] = [
                    {"kind": entry.tag, **_with_places(dict(entry.attrib), places)}
                    for entry in (maps if maps is not None else ())
                ]
            elif part.tag == "back_edges":
                found[part.tag] = len(part)
        return found


def _attribute(element: ET.Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise ValueError(f"a <{element.tag}> without {name}")
    return value


def _with_places(entry: dict[str, str], places: Mapping[str, int]) -> dict[str, object]:
    inner = entry.pop("internal_layer_id", "")
    return {**entry, "internal": places.get(inner, -1)}


def _hashed(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
