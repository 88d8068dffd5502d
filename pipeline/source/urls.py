"""URLs of sources: parse them, validate them, and show them without secrets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.config.addresses import address_fault
from pipeline.errors import Code, PipelineError

_HTTP = "https://HOST/PATH"
_KINDS = f"{_HTTP}, pypi:NAME==VERSION#PATH, npm:NAME==VERSION#PATH or file:PATH"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """A file on an HTTP server."""

    text: str


@dataclass(frozen=True, slots=True)
class FileUrl:
    """A local file; ``path`` is absolute, or relative to the project."""

    text: str
    path: str


@dataclass(frozen=True, slots=True)
class PypiUrl:
    """A file in an archive of a release in a Python package index.

    ``member`` is its path in the archive, in a source archive relative to the single top folder.
    """

    text: str
    name: str
    version: str
    member: str

    @property
    def release(self) -> str:
        """Return ``NAME==VERSION``."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class NpmUrl:
    """A file in an npm package; ``member`` is relative to the archive's single top folder."""

    text: str
    name: str
    version: str
    member: str

    @property
    def release(self) -> str:
        """Return ``NAME@VERSION``."""
        return f"{self.name}@{self.version}"


Url = HttpUrl | FileUrl | PypiUrl | NpmUrl


def parse_url(text: str) -> Url:
    """Return the parsed URL; raises PipelineError (CONFIG) if it is invalid.

    >>> parse_url("pypi:basic-pitch==0.4.0#basic_pitch/nmp.onnx").release
    'basic-pitch==0.4.0'
    >>> parse_url("file:models/a.onnx").path
    'models/a.onnx'
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "https" | "http":
            if fault := http_fault(text):
                raise _refused(text, fault)
            return HttpUrl(text)
        case "file":
            if not rest or not rest.isprintable():
                raise _refused(text, "file:PATH")
            if rest.startswith("//"):
                raise _refused(text, "file:PATH, without // before the path")
            return FileUrl(text, rest)
        case "pypi" | "npm":
            if fault := address_fault(text):
                raise _refused(text, fault)
            release, _, member = rest.partition("#")
            name, _, version = release.partition("==")
            return (PypiUrl if kind == "pypi" else NpmUrl)(text, name, version, member)
    raise _refused(text, _KINDS)


def http_fault(url: str) -> str:
    """Return what a valid HTTP URL looks like, or '' if this one is allowed.

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
    if parts.scheme == "http" and not _is_this_machine(host):
        return "https:; http: is allowed on loopback only"
    return ""


def shown(url: str) -> str:
    """Return a URL for messages: without login and query, which may contain a token.

    >>> shown("https://me:secret@host.example/a.bin?token=1#part")
    'https://host.example/a.bin?…'
    >>> shown("pypi:scikit-image==0.26.0#skimage/data/chelsea.png")
    'pypi:scikit-image==0.26.0#skimage/data/chelsea.png'
    """
    scheme = url.partition(":")[0].lower()
    if scheme in ("file", "npm", "pypi"):
        return plain(url)
    try:
        parts = urlsplit(url)
        # A password that contains a / is parsed as the port.
        _ = parts.port
    except ValueError:
        return plain(f"{scheme}://…")
    query = "?…" if parts.query else ""
    return plain(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}")


def plain(text: str) -> str:
    r"""Return a foreign text as one short line without control characters.

    >>> plain("Not\x1b[2J Found\n")
    'Not?[2J Found?'
    """
    line = "".join(letter if letter.isprintable() else "?" for letter in text[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refused(text: str, expected: str) -> PipelineError:
    return PipelineError(
        Code.CONFIG,
        "Invalid source URL.",
        where=shown(text),
        expected=expected,
        hint=f"Use {_KINDS}.",
    )
