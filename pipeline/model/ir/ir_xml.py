"""Parse the xml of an IR safely."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

# Characters not allowed in XML 1.0, even as character references (section 2.2).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(name: str) -> bool:
    r"""Return whether a name can be written in the xml of an IR.

    >>> writable("a\nb"), writable("a\x1b[2J")
    (True, False)
    """
    return _UNWRITABLE.search(name) is None


def read_net(xml: bytes) -> ET.Element:
    """Return the root ``<net>`` of an IR's xml.

    Document types are refused, so no entity is ever expanded: OpenVINO does not expand them, so
    the two would see different networks.

    >>> read_net(b'<net name="n"/>').get("name")
    'n'

    Raises ValueError for anything else than the xml of an IR.
    """
    parser = ET.XMLParser(target=_WithoutDoctype())  # noqa: S314 - entities require a document type
    try:
        net: ET.Element = ET.fromstring(xml, parser)  # noqa: S314
    except (ET.ParseError, LookupError) as error:
        raise ValueError(f"not well-formed xml: {error}") from None
    if net.tag != "net":
        raise ValueError(f"the root element is <{net.tag}>, not <net>")
    return net


class _WithoutDoctype(ET.TreeBuilder):
    def doctype(self, *_: object) -> None:
        raise ValueError("a document type is not allowed in an IR")
