"""Download one file over HTTP with size limit, resumption and retries."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress, ProgressCallback
from pipeline.http.client import HttpGet, HttpResponse, http_get
from pipeline.http.retry import (
    DEFAULT_RETRY_POLICY,
    PermanentError,
    RequestDeadline,
    RetryableError,
    RetryPolicy,
    with_retries,
)
from pipeline.http.urls import redacted_url
from pipeline.source.expected_file import ExpectedFile

_HINTS = {
    401: "The server requires a login.",
    403: "The server denies access: the file may require a login.",
    404: "The file does not exist: find its new URL, or add a mirror.",
    410: "The file was removed: find its new URL, or add a mirror.",
}
_OTHERWISE = "Check the URL, or add a mirror."
# An attempt that transfers fewer bytes counts as no progress.
_GAIN = 1 << 20
_VALIDATOR = re.compile(r"[!-~][ -~]{0,510}")
_IDENTITY = {"Accept-Encoding": "identity"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """A short document: its bytes, its Content-Type and its final URL."""

    body: bytes
    content_type: str
    url: str


def download(
    url: str,
    part: Path,
    expected: ExpectedFile,
    *,
    progress: ProgressCallback,
    policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    get: HttpGet = http_get,
) -> None:
    """Download ``url`` to ``part``, resuming a partial download.

    At most ``expected.limit`` bytes are written; the caller checks the digest. Dropped connections
    and transient server errors are retried. Raises PipelineError (SOURCE_UNREACHABLE, or
    SOURCE_MISMATCH for too many bytes) and OSError, such as for a full disk. ``part`` is kept
    for the next run, except after a mismatch or an OSError. ``get`` sends the requests.
    """
    try:
        _retry(
            url,
            lambda deadline: _attempt(url, part, expected, policy, deadline, progress, get),
            policy,
            progress,
        )
    except (OSError, PipelineError) as error:
        if isinstance(error, OSError) or error.code is Code.SOURCE_MISMATCH:
            discard(part)
        raise


def read_page(
    url: str,
    *,
    accept: str,
    limit: int,
    progress: ProgressCallback,
    policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    get: HttpGet = http_get,
) -> Page | None:
    """Return a document of at most ``limit`` bytes, or None for status 404.

    Raises PipelineError (SOURCE_UNREACHABLE).
    """

    def attempt(deadline: RequestDeadline) -> Page | None:
        with get(url, {**_IDENTITY, "Accept": accept}, policy, deadline) as response:
            if response.status == 404:
                return None
            response.check(_HINTS, _OTHERWISE)
            body = response.read(limit)
            return Page(body, response.headers.get("Content-Type", ""), response.url)

    return _retry(url, attempt, policy, progress)


def discard(part: Path) -> None:
    """Remove a partial download; raises OSError."""
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _retry(
    url: str,
    attempt: Callable[[RequestDeadline], T],
    policy: RetryPolicy,
    progress: ProgressCallback,
) -> T:
    try:
        return with_retries(attempt, policy, progress=progress)
    except PermanentError as error:
        raise PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The file could not be fetched.",
            where=redacted_url(url),
            found=str(error),
            hint=error.hint,
        ) from None


def _attempt(
    url: str,
    part: Path,
    expected: ExpectedFile,
    policy: RetryPolicy,
    deadline: RequestDeadline,
    progress: ProgressCallback,
    get: HttpGet,
) -> None:
    have = part.stat().st_size if part.exists() else 0
    # Without a validator, parts of two versions might be joined.
    validator = _read_mark(part) if 0 < have <= expected.limit else ""
    headers = dict(_IDENTITY)
    if validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with get(url, headers, policy, deadline) as response:
        if validator and response.status == 416:
            discard(part)
            raise RetryableError("the file changed on the server")
        response.check(_HINTS, _OTHERWISE)
        start = 0
        if response.status == 206:
            if not validator or not _continues(response, have):
                discard(part)
                raise RetryableError("the server sent the wrong range")
            start = have
        _write(response, part, start, expected, redacted_url(url), progress)


def _write(
    response: HttpResponse,
    part: Path,
    start: int,
    expected: ExpectedFile,
    where: str,
    progress: ProgressCallback,
) -> None:
    total = None if response.length is None else start + response.length
    done = start
    shown = ""
    with part.open("ab" if start else "wb") as stream:
        if not start:
            _mark(part).write_text(_validator(response), encoding="ascii")
        try:
            for piece in response.pieces:
                done += len(piece)
                if max(done, total or 0) > expected.limit:
                    head = b"" if start else piece
                    raise expected.too_large(where, head, f"{total} bytes" if total else "more")
                stream.write(piece)
                if (text := progress_text(done, total)) != shown or done == total:
                    progress(shown := text, Progress(done, total, of=where))
        except RetryableError as error:
            error.progressed = done - start >= _GAIN
            raise


def progress_text(done: int, total: int | None) -> str:
    """Return the progress of a download in MB (10^6 bytes).

    >>> progress_text(12_300_000, 22_800_000)
    '12.3 of 22.8 MB'
    """
    if total is None:
        return f"{done / 1e6:.1f} MB"
    return f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"


def _continues(response: HttpResponse, have: int) -> bool:
    # Content-Range: bytes 100-199/200 (RFC 9110, 14.4)
    return response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _validator(response: HttpResponse) -> str:
    """Return the validator for If-Range: a strong ETag, else Last-Modified."""
    tag = response.headers.get("ETag", "")
    if tag.startswith("W/") or not tag:
        tag = response.headers.get("Last-Modified", "")
    return tag if _VALIDATOR.fullmatch(tag) else ""


def _mark(part: Path) -> Path:
    return part.with_name(part.name + ".validator")


def _read_mark(part: Path) -> str:
    try:
        text = _mark(part).read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return ""
    return text if _VALIDATOR.fullmatch(text) else ""
