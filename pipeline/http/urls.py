"""Which HTTP addresses may be asked, and how addresses are shown without their secrets."""

from __future__ import annotations

import ipaddress
from urllib.parse import urljoin, urlsplit

_HTTP = "https://HOST/PATH"
_LONGEST = 200
_PORTS = {"http": 80, "https": 443}


def http_fault(url: str, *, plain: bool = False) -> str:
    """Return what a valid HTTP URL looks like, or '' if this one is allowed.

    ``plain`` allows http on every host.

    >>> http_fault("http://mirror.example/a.bin")
    'https:; http: is allowed on loopback only'
    >>> http_fault("http://127.0.0.1:8080/a.bin")
    ''
    """
    if not url.isprintable() or " " in url or "\\" in url:
        return f"{_HTTP}, without spaces or control characters"
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return _HTTP
    if parts.scheme not in ("https", "http") or not host:
        return _HTTP
    if parts.scheme == "http" and not plain and not _is_this_machine(host):
        return "https:; http: is allowed on loopback only"
    return ""


def is_loopback(url: str) -> bool:
    """Return whether a valid URL's host is this machine by its name or address."""
    return _is_this_machine(urlsplit(url).hostname or "")


def join_url(base: str, link: str) -> str:
    """Return the URL that a link of a document refers to, or '' if it is invalid."""
    try:
        return urljoin(base, link)
    except ValueError:
        return ""


def same_origin(url: str, other: str) -> bool:
    """Return whether two valid HTTP URLs have the same scheme, host and port.

    >>> same_origin("https://a.example/x", "https://a.example:443/y")
    True
    >>> same_origin("https://a.example/x", "http://a.example/x")
    False
    """
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def redacted_url(url: str) -> str:
    """Return a URL for messages: without login and query, which may contain a token.

    >>> redacted_url("https://me:secret@host.example/a.bin?token=1#part")
    'https://host.example/a.bin?…'
    >>> redacted_url("pypi:scikit-image==0.26.0#skimage/data/chelsea.png")
    'pypi:scikit-image==0.26.0#skimage/data/chelsea.png'
    """
    scheme = url.partition(":")[0].lower()
    if scheme in ("file", "npm", "pypi"):
        return printable_line(url)
    try:
        parts = urlsplit(url)
        # A password that contains a / is parsed as the port.
        _ = parts.port
    except ValueError:
        return printable_line(f"{scheme}://…")
    query = "?…" if parts.query else ""
    return printable_line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}")


def printable_line(text: str) -> str:
    r"""Return a foreign text as one short line without control characters.

    >>> printable_line("Not\x1b[2J Found\n")
    'Not?[2J Found?'
    """
    line = "".join(letter if letter.isprintable() else "?" for letter in text[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
