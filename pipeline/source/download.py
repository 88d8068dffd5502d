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
from pipeline.execution.progress import Amount, Say
from pipeline.http.client import PATIENCE, Answer, Broken, Patience, Refused, exchange
from pipeline.http.urls import shown
from pipeline.source.expected_file import Wanted

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
    url: str, part: Path, wanted: Wanted, *, say: Say, patience: Patience = PATIENCE
) -> None:
    """Download ``url`` to ``part``, resuming a partial download.

    At most ``wanted.limit`` bytes are written; the caller checks the digest. Dropped connections
    and transient server errors are retried. Raises PipelineError (SOURCE_UNREACHABLE, or
    SOURCE_MISMATCH for too many bytes) and OSError, such as for a full disk. ``part`` is kept
    for the next run, except after a mismatch or an OSError.
    """
    try:
        _persist(
            url,
            lambda deadline: _attempt(url, part, wanted, patience, deadline, say),
            patience,
            say,
        )
    except (OSError, PipelineError) as error:
        if isinstance(error, OSError) or error.code is Code.SOURCE_MISMATCH:
            discard(part)
        raise


def read_page(
    url: str, *, accept: str, limit: int, say: Say, patience: Patience = PATIENCE
) -> Page | None:
    """Return a document of at most ``limit`` bytes, or None for status 404.

    Raises PipelineError (SOURCE_UNREACHABLE).
    """

    def attempt(deadline: float) -> Page | None:
        with exchange(url, {**_IDENTITY, "Accept": accept}, patience, deadline) as answer:
            if answer.status == 404:
                return None
            _check_status(answer)
            body = bytearray()
            for piece in answer.pieces:
                body += piece
                if len(body) > limit:
                    raise Refused(f"more than {limit} bytes")
            return Page(bytes(body), answer.headers.get("Content-Type", ""), answer.url)

    return _persist(url, attempt, patience, say)


def discard(part: Path) -> None:
    """Remove a partial download; raises OSError."""
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _persist(url: str, attempt: Callable[[float], T], patience: Patience, say: Say) -> T:
    deadline = time.monotonic() + patience.whole
    in_vain = times = 0
    while True:
        times += 1
        try:
            return attempt(deadline)
        except Refused as refused:
            raise _unreachable(url, str(refused), refused.hint) from None
        except Broken as broken:
            in_vain = 1 if broken.gained else in_vain + 1
            wait = max(broken.wait, patience.first_wait * 2 ** (in_vain - 1))
            wait = min(wait, patience.longest_wait)
            if in_vain >= patience.attempts or time.monotonic() + wait > deadline:
                often = f", {times} times" if times > 1 else ""
                raise _unreachable(url, f"{broken}{often}", broken.hint) from None
            say(f"{broken}; retrying in {wait:.1f} s")
            time.sleep(wait)


def _attempt(
    url: str, part: Path, wanted: Wanted, patience: Patience, deadline: float, say: Say
) -> None:
    have = part.stat().st_size if part.exists() else 0
    # Without a validator, parts of two versions might be joined.
    validator = _read_mark(part) if 0 < have <= wanted.limit else ""
    headers = dict(_IDENTITY)
    if validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with exchange(url, headers, patience, deadline) as answer:
        if validator and answer.status == 416:
            discard(part)
            raise Broken("the file changed on the server")
        _check_status(answer)
        start = 0
        if answer.status == 206:
            if not validator or not _continues(answer, have):
                discard(part)
                raise Broken("the server sent the wrong range")
            start = have
        _write(answer, part, start, wanted, shown(url), say)


def _write(answer: Answer, part: Path, start: int, wanted: Wanted, where: str, say: Say) -> None:
    total = None if answer.length is None else start + answer.length
    done = start
    told = ""
    with part.open("ab" if start else "wb") as stream:
        if not start:
            _mark(part).write_text(_validator(answer), encoding="ascii")
        try:
            for piece in answer.pieces:
                done += len(piece)
                if max(done, total or 0) > wanted.limit:
                    head = b"" if start else piece
                    raise wanted.too_large(where, head, f"{total} bytes" if total else "more")
                stream.write(piece)
                if (text := progress(done, total)) != told or done == total:
                    say(told := text, Amount(done, total, of=where))
            # Some versions of urllib3 do not report a truncated body.
            if total is not None and done < total:
                raise Broken("the connection was dropped")
        except Broken as broken:
            broken.gained = done - start >= _GAIN
            raise


def progress(done: int, total: int | None) -> str:
    """Return the progress of a download in MB (10^6 bytes).

    >>> progress(12_300_000, 22_800_000)
    '12.3 of 22.8 MB'
    """
    if total is None:
        return f"{done / 1e6:.1f} MB"
    return f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"


def _check_status(answer: Answer) -> None:
    told = f"status {answer.status} {answer.reason}".strip()
    if answer.status in _AGAIN:
        raise Broken(told, wait=_asked_wait(answer), hint="Retry later, or add a mirror.")
    if answer.status not in (200, 206):
        raise Refused(told, _HINTS.get(answer.status, "Check the URL, or add a mirror."))


def _asked_wait(answer: Answer) -> float:
    """Return the seconds of Retry-After, which is a number or a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return 0.0


def _continues(answer: Answer, have: int) -> bool:
    # Content-Range: bytes 100-199/200 (RFC 9110, 14.4)
    return answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _validator(answer: Answer) -> str:
    """Return the validator for If-Range: a strong ETag, else Last-Modified."""
    tag = answer.headers.get("ETag", "")
    if tag.startswith("W/") or not tag:
        tag = answer.headers.get("Last-Modified", "")
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
        where=shown(url),
        found=found,
        hint=hint,
    )
