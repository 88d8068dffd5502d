"""Query a Python package index for the archives of a release (Simple API, by pypi-simple)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from email.message import Message
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from pipeline.child_python.commands import module_command
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, printable_line, redacted_url
from pipeline.source.addresses import PypiUrl
from pipeline.source.download import Page, read_page
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage, ProjectPage

# The largest project pages have some ten million bytes.
_LARGEST_PAGE = 32 << 20
# The platform wheels of a release differ only in compiled code: a few of them are enough.
_MOST_PLATFORM_WHEELS = 8
_MOST_PIP_SECONDS = 60
_JSON = "application/vnd.pypi.simple.v1+json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SDIST = (".tar.gz", ".tgz", ".zip")


class Archive(msgspec.Struct, frozen=True):
    """One archive of a release: its file name, SHA-256 and size as stated by the index."""

    file: str
    sha256: str
    size: int | None = None

    def __post_init__(self) -> None:
        # The digest becomes a file name.
        if not _SHA256.fullmatch(self.sha256) or (self.size or 0) < 0:
            raise ValueError("not a digest and a size")

    @property
    def is_sdist(self) -> bool:
        """Whether it is a source archive, with one top folder."""
        return not self.file.endswith(".whl")

    @property
    def expected(self) -> ExpectedFile:
        """Return the expected size and digest of the download."""
        return ExpectedFile(self.size, {"sha256": self.sha256})


def query_index(url: PypiUrl, downloads: DownloadCache) -> dict[Archive, str]:
    """Return the archives of a release with their URLs, in the order to search them.

    Pure wheels first, then source archives, then platform wheels, each by file name. Uses the
    index configured for pip or uv. Raises PipelineError (SOURCE_UNREACHABLE).
    """
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple

    endpoint = index_address() or PYPI_SIMPLE_ENDPOINT
    if fault := http_fault(endpoint):
        raise _refused(
            url,
            "The configured package index has an invalid URL.",
            f"{redacted_url(endpoint)}, which is not {fault}",
            "Correct PIP_INDEX_URL, UV_DEFAULT_INDEX or pip's global.index-url.",
        )
    downloads.progress("querying the package index")
    with PyPISimple(endpoint) as index:
        page = read_page(
            index.get_project_url(url.name),
            accept=index.accept,
            limit=_LARGEST_PAGE,
            progress=downloads.progress,
            policy=downloads.policy,
        )
    if page is None:
        raise _refused(
            url,
            "The package index has no package with this name.",
            hint="Correct the name, or set another index with PIP_INDEX_URL.",
        )
    release = [each for each in _parsed(page, url).packages if _is(each, url.version)]
    found = _ordered(release, endpoint)
    if not found:
        raise _refused(
            url,
            "The package index has no archive of this version with a sha256.",
            f"{len(release)} files of the version",
            "Correct the version, or set another index with PIP_INDEX_URL.",
        )
    if any(package.is_yanked for package in release):
        reason = next((each.yanked_reason for each in release if each.yanked_reason), "")
        downloads.progress(
            printable_line(f"{url.release} was yanked" + (f": {reason}" if reason else ""))
        )
    return found


def index_address() -> str:
    """Return the index URL configured for pip or uv, or ''."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if found := os.environ.get(name, "").strip():
            # uv allows a named index: NAME=URL.
            return re.sub(r"^[A-Za-z0-9_.-]+=(?=[a-z]+:)", "", found)
    return _pips_index()


@cache
def _pips_index() -> str:
    # Not `config get`: that reads a single file and ignores the machine-wide one.
    command = module_command("pip", "config", "list")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_MOST_PIP_SECONDS
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"^global\.index-url=(['\"])(.+)\1$", done.stdout, re.MULTILINE)
    return found[2] if found else ""


def _parsed(page: Page, url: PypiUrl) -> ProjectPage:
    from pypi_simple import ProjectPage, UnsupportedRepoVersionError

    declared = Message()
    declared["Content-Type"] = page.content_type or "text/html"
    try:
        if declared.get_content_type() == _JSON:
            return ProjectPage.from_json_data(msgspec.json.decode(page.body), page.url)
        charset = declared.get_content_charset()
        return ProjectPage.from_html(url.name, page.body, page.url, charset)
    except (
        ValueError,
        TypeError,
        LookupError,
        RecursionError,
        msgspec.MsgspecError,
        UnsupportedRepoVersionError,
    ) as error:
        raise _refused(
            url,
            "Invalid response from the package index.",
            type(error).__name__,
            "Check that PIP_INDEX_URL is an index; it often ends in /simple.",
        ) from None


def _is(package: DistributionPackage, version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    if package.version is None:
        return False
    try:
        return Version(package.version) == Version(version)
    except InvalidVersion:
        return package.version == version


def _ordered(release: Sequence[DistributionPackage], endpoint: str) -> dict[Archive, str]:
    pure, source, platform = [], [], []
    for package in sorted(release, key=lambda each: each.filename):
        name = package.filename
        if name.endswith("-none-any.whl"):
            pure.append(package)
        elif name.endswith(".whl"):
            platform.append(package)
        elif name.endswith(_SDIST):
            source.append(package)
    return {
        Archive(package.filename, package.digests["sha256"], package.size): _with_login(
            package.url, endpoint
        )
        for package in (*pure, *source, *platform[:_MOST_PLATFORM_WHEELS])
        if _SHA256.fullmatch(package.digests.get("sha256", "")) and (package.size or 0) >= 0
    }


def _with_login(url: str, endpoint: str) -> str:
    """Return the URL with the index's login, if it has the same host and no login."""
    try:
        parts, known = urlsplit(url), urlsplit(endpoint)
        same = (parts.scheme, parts.hostname, parts.port) == (
            known.scheme,
            known.hostname,
            known.port,
        )
    except ValueError:
        return url
    if not same or "@" in parts.netloc:
        return url
    return parts._replace(netloc=known.netloc).geturl()


def _refused(url: PypiUrl, message: str, found: str = "", hint: str = "") -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE, message, where=redacted_url(url.text), found=found, hint=hint
    )
