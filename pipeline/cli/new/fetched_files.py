"""Files that the command line names by address: fetched once, and pinned by their digest."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.cache.atomic import atomic_write
from pipeline.cache.digest import Digest
from pipeline.cache.objects import copy
from pipeline.config.load_project import load_project
from pipeline.config.schema import Project, Source
from pipeline.errors import Code, ConfigErrors, PipelineError, printable
from pipeline.execution.progress import no_progress
from pipeline.http.urls import redacted_url
from pipeline.source.addresses import HttpUrl, NpmUrl, PypiUrl, Url, parse_url
from pipeline.source.download import download
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile
from pipeline.source.npm import write_npm_member
from pipeline.source.pypi import write_member

# Other schemes count too, so that they are refused as addresses.
_ADDRESS = re.compile(r"(https?|pypi|npm):|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Return whether an argument is an address instead of a path.

    >>> is_address("pypi:basic-pitch==0.4.0#basic_pitch/nmp.onnx"), is_address("net.onnx")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def fetched(texts: Iterable[str], root: Path, folder: Path) -> dict[str, Path]:
    """Return the file of each address among the arguments, fetched into a private folder.

    Nothing states their digests yet, so whatever arrives is taken. Files keep their names, and
    stay together as far as these differ. Raises PipelineError (CONFIG, SOURCE_UNREACHABLE,
    SOURCE_MISMATCH, SOURCE_ARCHIVE, STORAGE).
    """
    urls = {text: parse_url(text) for text in texts if is_address(text)}
    found: dict[str, Path] = {}
    downloads = _downloads(root) if urls else None
    for text, url in urls.items():
        assert downloads is not None
        places = (folder / str(number) / _name(url) for number in count())
        target = next(place for place in places if not place.exists())
        target.parent.mkdir(exist_ok=True)
        print(printable(f"fetching {redacted_url(text)}"), file=sys.stderr)
        try:
            _fetch(url, target, downloads)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "Cannot store the fetched file.",
                where=redacted_url(text),
                found=error.strerror or str(error),
            ) from None
        found[text] = target
    return found


@contextmanager
def errors_by_address(found: Mapping[str, Path]) -> Iterator[None]:
    """Name fetched files by their addresses in errors, instead of by their temporary paths."""
    try:
        yield
    except PipelineError as error:
        # The longest first, as the path of one may begin with that of another.
        places = sorted(((str(path), text) for text, path in found.items()), key=_longest_first)
        for field in ("where", "expected", "found", "hint", "detail"):
            text = getattr(error, field)
            for path, address in places:
                text = text.replace(path, redacted_url(address))
            setattr(error, field, text)
        raise


def pinned(address: str, path: Path, licence: str) -> Source:
    """Return the source of a fetched file, with the digest and the size of what was received."""
    digest = Digest.of_file(path)
    return Source(urls=(address,), sha256=digest.sha256, size=digest.size, license=licence)


def _longest_first(place: tuple[str, str]) -> int:
    return -len(place[0])


def _downloads(root: Path) -> DownloadCache:
    project = Project()
    # doit reports errors elsewhere in the project.
    with suppress(ConfigErrors):
        project = load_project(root).project
    return DownloadCache(root / project.cache / "downloads", project.offline, no_progress)


def _name(url: Url) -> str:
    match url:
        case HttpUrl():
            path = unquote(urlsplit(url.text).path)
        case PypiUrl() | NpmUrl():
            path = url.member
        case _:
            path = url.path
    name = PurePosixPath(path).name
    return name if name.isprintable() and name not in ("", "..") else "file"


def _fetch(url: Url, target: Path, downloads: DownloadCache) -> None:
    anything = ExpectedFile(None, {})
    match url:
        case PypiUrl():
            write_member(url, anything, target, downloads)
        case NpmUrl():
            write_npm_member(url, anything, target, downloads)
        case _:
            if downloads.offline:
                raise downloads.offline_error(redacted_url(url.text))
            download(url.text, target, anything, progress=downloads.progress)
            _keep(target, downloads)


def _keep(path: Path, downloads: DownloadCache) -> None:
    """Copy a download to the project's, so that the build does not fetch it again."""
    digest = Digest.of_file(path)
    name = ExpectedFile(digest.size, {"sha256": digest.sha256}).name
    with downloads.lock(name, name), atomic_write(downloads.folder / name) as part:
        copy(path, part)
