"""The xml of an IR as a tree, read so that a hostile one is a plain error."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

# Characters that XML 1.0 has no way to write, also not by number (section 2.2).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(name: str) -> bool:
    r"""Return whether the xml of an IR can hold a name.

    >>> writable("a\nb"), writable("a\x1b[2J")
    (True, False)
    """
    return _UNWRITABLE.search(name) is None


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
