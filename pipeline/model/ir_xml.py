"""The xml of an IR as a tree, read so that a hostile one is a plain error."""

from __future__ import annotations

import xml.etree.ElementTree as ET


def read_net(xml: bytes) -> ET.Element:
    """Return the root ``<net>`` of an IR's xml.

    A document type is refused, so no entity is ever expanded: OpenVINO's own reader leaves them as
    they are, and the two would see different networks.

    >>> read_net(b'<net name="n"/>').get("name")
    'n'

    Raises ValueError when it is not the xml of an IR.
    """
    parser = ET.XMLParser(target=_WithoutDoctype())  # noqa: S314 - entities need a document type
    try:
        net: ET.Element = ET.fromstring(xml, parser)  # noqa: S314
    except (ET.ParseError, LookupError) as error:
        raise ValueError(f"not well-formed xml: {error}") from None
    if net.tag != "net":
        raise ValueError(f"its root is <{net.tag}>, not <net>")
    return net


class _WithoutDoctype(ET.TreeBuilder):
    def doctype(self, *_: object) -> None:
        raise ValueError("a document type, which an IR does not have")
