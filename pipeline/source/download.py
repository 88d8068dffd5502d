"""One file over HTTP: bounded, resumed, retried."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from requests import Response

_ATTEMPTS = 4
_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 30.0
_WHOLE_SECONDS = 3600.0
_LONGEST_WAIT = 20.0
_PIECE = 1 << 18
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Broken(Exception):
    """The attempt failed in a way that another may not."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def download(url: str, part: Path, *, limit: int, say: Callable[[str], None]) -> None:
    """Bring the file at ``url`` into ``part``, going on from what is there already.

    A dropped connection, a server error and a full queue are tried again. Raises PipelineError
    (SOURCE_UNREACHABLE), and OSError when the disk is full. What was downloaded stays in
    ``part`` after a failure, for the next attempt.
    """
    deadline = time.monotonic() + _WHOLE_SECONDS
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _attempt(url, part, limit, deadline, say)
        except _Broken as broken:
            reason = str(broken)
            if attempt < _ATTEMPTS:
                say(f"{reason}; trying again")
                time.sleep(min(max(broken.wait, 0.5 * 2 ** (attempt - 1)), _LONGEST_WAIT))
    raise _unreachable(url, f"{reason}, {_ATTEMPTS} times")


def shown(url: str) -> str:
    """Return an address as messages show it: without a password or a query, which may be secret.

    >>> shown("https://me:secret@host.example/a.bin?token=1")
    'https://host.example/a.bin'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _attempt(url: str, part: Path, limit: int, deadline: float, say: Callable[[str], None]) -> None:
    import requests

    mark = part.with_name(part.name + ".etag")
    have = part.stat().st_size if part.exists() else 0
    etag = mark.read_text() if have and mark.exists() else ""
    headers = {"Accept-Encoding": "identity"}
    # Without a validator the rest of another version might be joined to what is here.
    if have and etag:
        headers |= {"Range": f"bytes={have}-", "If-Range": etag}
    try:
        with requests.get(
            url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS)
        ) as response:
            _check_hops(response, url)
            resumed = response.status_code == 206 and etag != ""
            if response.status_code == 416:
                part.unlink()
                raise _Broken("the server has another version now")
            _check_status(response, url)
            tag = response.headers.get("ETag", "")
            mark.write_text(tag if tag and not tag.startswith("W/") else "")
            _read(response, part, have if resumed else 0, url, limit, deadline, say)
    except requests.RequestException as error:
        raise _Broken(_reason(error)) from None
    mark.unlink(missing_ok=True)


def _check_hops(response: Response, url: str) -> None:
    for hop in (*response.history, response):
        parts = urlsplit(hop.url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise _unreachable(url, f"a redirect to {shown(hop.url)}, which is not https")


def _check_status(response: Response, url: str) -> None:
    status = response.status_code
    if status in _AGAIN:
        wait = response.headers.get("Retry-After", "")
        raise _Broken(f"status {status}", float(wait) if wait.isdecimal() else 0.0)
    if status not in (200, 206):
        hint = {
            404: "The file is not there: look for its new address, or add a mirror.",
            401: "The server wants a login.",
            403: "The server refuses it: the file may need a login.",
        }.get(status, "")
        raise _unreachable(url, f"status {status} {response.reason}", hint)


def _read(
    response: Response,
    part: Path,
    start: int,
    url: str,
    limit: int,
    deadline: float,
    say: Callable[[str], None],
) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    if total is not None and total > limit:
        raise _too_large(url, limit, f"{total} bytes")
    done = start
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        for piece in response.iter_content(_PIECE):
            done += len(piece)
            if done > limit:
                raise _too_large(url, limit, "more")
            if time.monotonic() > deadline:
                raise _unreachable(url, f"not done after {_WHOLE_SECONDS:.0f} s")
            stream.write(piece)
            say(progress(done, total))
        stream.flush()
        os.fsync(stream.fileno())
    if total is not None and done < total:
        raise _Broken(f"the connection was dropped after {done} of {total} bytes")


def progress(done: int, total: int | None) -> str:
    """Return how far a download is.

    >>> progress(12_300_000, 22_800_000)
    '12.3 of 22.8 MB'
    """
    if total is None:
        return f"{done / 1e6:.1f} MB"
    return f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return "no answer in time"
    text = str(error)
    if "NameResolution" in text or "Name or service" in text or "getaddrinfo" in text:
        return "the host name could not be resolved"
    if "Connection refused" in text:
        return "the connection was refused"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate could not be verified"
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "the connection was dropped"
    return type(error).__name__


def _unreachable(url: str, found: str, hint: str = "") -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE,
        "The file could not be fetched.",
        where=shown(url),
        found=found,
        hint=hint or "Is there a network, and do its proxy settings hold? Or add a mirror.",
    )


def _too_large(url: str, limit: int, found: str) -> PipelineError:
    return PipelineError(
        Code.SOURCE_MISMATCH,
        "The server sends more than the config declares.",
        where=shown(url),
        expected=f"at most {limit} bytes",
        found=found,
        hint="If the file was changed on purpose, look at it, then correct the config.",
    )
