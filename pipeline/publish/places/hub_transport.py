"""Requests of huggingface_hub, sent by the HTTP client: its own bounds neither time nor size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import httpx2
import huggingface_hub

from pipeline.execution.once import Once
from pipeline.http.client import Body, shared_client
from pipeline.http.retry import (
    PermanentError,
    RequestDeadline,
    RetryableError,
    RetryPolicy,
    with_retries,
)
from pipeline.http.urls import redacted_url, same_origin

_MOST_BYTES = 64 << 20
_SILENT_SECONDS = 60.0
# The library waits as long as these say.
_WAITS = frozenset({"retry-after", "ratelimit", "ratelimit-policy"})
# Of the connection, or of a body that is not passed on as it came.
_FRAMING = frozenset({"transfer-encoding", "content-length", "connection"})


@dataclass
class CallLimits:
    """The policy of a call of the library; deadline and bytes are for all of its responses."""

    policy: RetryPolicy
    deadline: RequestDeadline
    bytes_left: int = _MOST_BYTES


LIMITS: ContextVar[CallLimits | None] = ContextVar("limits", default=None)
"""The limits of the present call. The library's own threads do not see them."""


class _Transport(httpx2.BaseTransport):
    def __init__(self) -> None:
        # With the proxies of the environment.
        self._others = httpx2.Client()

    def close(self) -> None:
        self._others.close()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if huggingface_hub.is_offline_mode():
            raise PermanentError("huggingface_hub is offline (HF_HUB_OFFLINE)")
        limits = LIMITS.get()
        if limits is None:
            # The library is also used by others in this process.
            return self._others.send(request, stream=True)
        url, headers = str(request.url), dict(request.headers.items())
        headers["accept-encoding"] = "identity"
        endpoint = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT")).endpoint
        if not same_origin(url, endpoint):
            if not url.startswith("https:"):
                raise PermanentError(f"{redacted_url(url)} is not an https: URL")
            headers.pop("authorization", None)
        pieces = _Body(request, int(headers.pop("content-length", "0")))
        # A commit comes in chunks: small files, and the ids of large ones.
        chunked = headers.pop("transfer-encoding", "")
        body: Body = b"".join(pieces) if chunked or not pieces.length else pieces
        http = shared_client(limits.policy)
        repeatable = request.method in ("GET", "HEAD")

        def attempt(deadline: RequestDeadline) -> httpx2.Response:
            with http.request(
                request.method, url, headers, deadline, body=body, redirects=0
            ) as response:
                if repeatable:
                    response.check_transient()
                kept = [
                    (name, value)
                    for name, value in response.headers.items()
                    if name.lower() not in _WAITS | _FRAMING
                ]
                data = response.read(limits.bytes_left)
                limits.bytes_left -= len(data)
                return httpx2.Response(response.status, headers=kept, content=data, request=request)

        if repeatable:
            return with_retries(attempt, limits.policy, deadline=limits.deadline)
        try:
            return attempt(limits.deadline)
        except RetryableError as error:
            # The library repeats what can be repeated.
            raise httpx2.NetworkError(str(error), request=request) from None


@dataclass(frozen=True)
class _Body:
    """A request's body, of a known length: many servers do not take chunks."""

    request: httpx2.Request
    length: int

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        if not isinstance(self.request.stream, httpx2.SyncByteStream):
            raise TypeError(self.request.stream)
        yield from self.request.stream


def _bind() -> None:
    huggingface_hub.set_client_factory(
        lambda: httpx2.Client(
            transport=_Transport(), follow_redirects=True, timeout=_SILENT_SECONDS
        )
    )


# A second time would close the client that another thread asks with.
bound = Once(_bind)
