"""Download one file over HTTP with size limit, resumption and retries."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress, ProgressCallback
from pipeline.http.client import (
    DEFAULT_RETRY_POLICY,
    HttpResponse,
    PermanentError,
    RetryableError,
    RetryPolicy,
    http_get,
)
from pipeline.http.urls import redacted_url
from pipeline.source.expected_file import ExpectedFile

# Transient status codes, worth a retry.
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_HINTS = {
    401: "The server requires a login.",
    403: "The server denies access: the file may require a login.",
    404: "The file does not exist: find its new URL, or add a mirror.",
    410: "The file was removed: find its new URL, or add a mirror.",
}
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
) -> None:
    """Download ``url`` to ``part``, resuming a partial download.

    At most ``wanted.limit`` bytes are written; the caller checks the digest. Dropped connections
    and transient server errors are retried. Raises PipelineError (SOURCE_UNREACHABLE, or
    SOURCE_MISMATCH for too many bytes) and OSError, such as for a full disk. ``part`` is kept
    for the next run, except after a mismatch or an OSError.
    """
    try:
        _retry(
            url,
            lambda deadline: _attempt(url, part, expected, policy, deadline, progress),
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
) -> Page | None:
    """Return a document of at most ``limit`` bytes, or None for status 404.

    Raises PipelineError (SOURCE_UNREACHABLE).
    """

    def attempt(deadline: float) -> Page | None:
        with http_get(url, {**_IDENTITY, "Accept": accept}, policy, deadline) as response:
            if response.status == 404:
                return None
            _check_status(response)
            body = bytearray()
            for piece in response.pieces:
                body += piece
                if len(body) > limit:
                    raise PermanentError(f"more than {limit} bytes")
            return Page(bytes(body), response.headers.get("Content-Type", ""), response.url)

    return _retry(url, attempt, policy, progress)


def discard(part: Path) -> None:
    """Remove a partial download; raises OSError."""
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _retry(
    url: str, attempt: Callable[[float], T], policy: RetryPolicy, progress: ProgressCallback
) -> T:
    deadline = time.monotonic() + policy.total
    failures = times = 0
    while True:
        times += 1
        try:
            return attempt(deadline)
        except PermanentError as refused:
            raise _unreachable(url, str(refused), refused.hint) from None
        except RetryableError as error:
            failures = 1 if error.progressed else failures + 1
            wait = max(error.wait, policy.first_wait * 2 ** (failures - 1))
            wait = min(wait, policy.longest_wait)
            if failures >= policy.attempts or time.monotonic() + wait > deadline:
                often = f", {times} times" if times > 1 else ""
                raise _unreachable(url, f"{error}{often}", error.hint) from None
            progress(f"{error}; retrying in {wait:.1f} s")
            time.sleep(wait)


def _attempt(
    url: str,
    part: Path,
    expected: ExpectedFile,
    policy: RetryPolicy,
    deadline: float,
    progress: ProgressCallback,
) -> None:
    have = part.stat().st_size if part.exists() else 0
    # Without a validator, parts of two versions might be joined.
    validator = _read_mark(part) if 0 < have <= expected.limit else ""
    headers = dict(_IDENTITY)
    if validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with http_get(url, headers, policy, deadline) as response:
        if validator and response.status == 416:
            discard(part)
            raise RetryableError("the file changed on the server")
        _check_status(response)
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
            # Some versions of urllib3 do not report a truncated body.
            if total is not None and done < total:
                raise RetryableError("the connection was dropped")
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


def _check_status(response: HttpResponse) -> None:
    status = f"status {response.status} {response.reason}".strip()
    if response.status in _AGAIN:
        raise RetryableError(
            status, wait=_retry_after(response), hint="Retry later, or add a mirror."
        )
    if response.status not in (200, 206):
        raise PermanentError(status, _HINTS.get(response.status, "Check the URL, or add a mirror."))


def _retry_after(response: HttpResponse) -> float:
    """Return the seconds of Retry-After, which is a number or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return 0.0


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


def _unreachable(url: str, found: str, hint: str) -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE,
        "The file could not be fetched.",
        where=redacted_url(url),
        found=found,
        hint=hint,
    )
