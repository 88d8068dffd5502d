"""URLs of sources: parse them, validate them, and show them without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config.address_rules import address_fault
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, redacted_url

_HTTP = "https://HOST/PATH"
_KINDS = f"{_HTTP}, pypi:NAME==VERSION#PATH, npm:NAME==VERSION#PATH or file:PATH"


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
    if (small := kind.lower()) != kind and small in ("https", "http", "file", "pypi", "npm"):
        raise _refused(text, f"{small}: in lower case")
    raise _refused(text, _KINDS)


def _refused(text: str, expected: str) -> PipelineError:
    return PipelineError(
        Code.CONFIG,
        "Invalid source URL.",
        where=redacted_url(text),
        expected=expected,
        hint=f"Use {_KINDS}.",
    )
