"""OCI registry client: tags, manifests and blobs, by the OCI distribution specification 1.1."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError, printable
from pipeline.http.client import HttpClient, HttpResponse
from pipeline.http.retry import (
    DEFAULT_RETRY_POLICY,
    PermanentError,
    RequestDeadline,
    RetryPolicy,
    with_retries,
)
from pipeline.http.urls import http_fault, is_loopback, join_url, redacted_url, same_origin
from pipeline.publish.places.oci_artifact import MANIFEST_TYPE, MOST_MANIFEST_BYTES
from pipeline.publish.places.oci_auth import Login, authorization, find_login

# A registry may be silent while it hashes what was uploaded.
POLICY = replace(DEFAULT_RETRY_POLICY, read=60.0, attempts=3)
# The total is for large files; a slow server should not use it up for a small one.
_SHORT_SECONDS = 120.0
_BYTES_PER_SECOND = 1 << 16
_MOST_PAGES, _MOST_TAGS = 1000, 100_000

T = TypeVar("T")


class _Tags(msgspec.Struct, frozen=True):
    """A page of a list of tags."""

    tags: list[str] | None = None


@dataclass(frozen=True)
class _Answer:
    """A response with its whole body."""

    status: int
    headers: Mapping[str, str]
    url: str
    body: bytes


class OciClient:
    """One registry and a namespace in it. Credentials are those of docker's configuration."""

    def __init__(self, place: str, policy: RetryPolicy = POLICY) -> None:
        host, _, namespace = place.strip("/").partition("/")
        if http_fault(f"https://{host}/") or "@" in host or not _is_namespace(namespace):
            raise PipelineError(
                Code.USAGE,
                "Invalid registry URL.",
                where=printable(f"oci://{place}"),
                expected="oci://HOST/NAMESPACE, in lower case",
            )
        self._host, self._namespace = host, namespace
        scheme = "http" if is_loopback(f"http://{host}/") else "https"
        self._base = f"{scheme}://{host}/v2/{namespace}{'/' if namespace else ''}"
        self._policy = policy
        self._http = HttpClient(policy)
        # By repository and whether it is written to.
        self._known: dict[tuple[str, bool], str] = {}

    @cached_property
    def _login(self) -> Login | None:
        return find_login(self._host)

    def describe(self) -> str:
        """Return the URL."""
        return f"oci://{self._host}" + (f"/{self._namespace}" if self._namespace else "")

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository, empty if it does not exist; raises PipelineError."""
        from requests.utils import parse_header_links

        found: list[str] = []
        url = first = f"{self._base}{name}/tags/list"
        deadline = self._short_deadline()
        for _ in range(_MOST_PAGES):
            answer = self._ask("GET", url, name, but=(404,), deadline=deadline)
            if answer.status == 404:
                return found
            try:
                found += decode_json(answer.body, _Tags).tags or []
            except msgspec.DecodeError:
                raise _failed(self.describe(), "the list of tags is invalid") from None
            if len(found) > _MOST_TAGS:
                raise _failed(self.describe(), f"a list of more than {_MOST_TAGS} tags")
            links = parse_header_links(answer.headers.get("Link", ""))
            following = [link["url"] for link in links if link.get("rel") == "next"]
            if not following:
                return found
            query = _next_page(following[0], self._host)
            if not query:
                raise _failed(self.describe(), "the list of tags goes on at an invalid URL")
            url = f"{first}?{query}"
        raise _failed(self.describe(), f"a list of tags of more than {_MOST_PAGES} pages")

    def manifest(self, name: str, tag: str) -> bytes | None:
        """Return a manifest's bytes, or None; raises PipelineError."""
        url = f"{self._base}{name}/manifests/{tag}"
        answer = self._ask("GET", url, name, {"Accept": MANIFEST_TYPE}, but=(404,))
        return None if answer.status == 404 else answer.body

    def put_manifest(self, name: str, tag: str, data: bytes) -> None:
        """Push a manifest with a tag; raises PipelineError."""
        url = f"{self._base}{name}/manifests/{tag}"
        self._ask("PUT", url, name, {"Content-Type": MANIFEST_TYPE}, data)

    def has_blob(self, name: str, digest: Digest) -> bool:
        """Return whether a blob exists; raises PipelineError."""
        return self._ask("HEAD", self.blob_url(name, digest), name, but=(404,)).status == 200

    def put_blob(self, name: str, digest: Digest, source: Path | bytes) -> None:
        """Upload a blob from a file or from bytes; raises PipelineError and OSError."""

        def attempt(deadline: RequestDeadline) -> None:
            started = self._send("POST", f"{self._base}{name}/blobs/uploads/", name, {}, deadline)
            with started as response:
                response.check({})
                url = join_url(response.url, response.headers.get("Location", ""))
            if http_fault(url) or (is_loopback(url) and not same_origin(url, self._base)):
                raise PermanentError(f"upload to an invalid URL, {redacted_url(url)}")
            url += f"{'&' if '?' in url else '?'}digest=sha256:{digest.sha256}"
            headers = {"Content-Type": "application/octet-stream"}
            with self._send("PUT", url, name, headers, deadline, source) as response:
                response.check({})

        try:
            seconds = self._policy.total + digest.size / _BYTES_PER_SECOND
            self._retry(attempt, RequestDeadline.after(seconds))
        except PipelineError:
            # Another publisher may have uploaded the same blob meanwhile.
            if not self.has_blob(name, digest):
                raise

    def blob_url(self, name: str, digest: Digest) -> str:
        """Return the URL of a blob."""
        return f"{self._base}{name}/blobs/sha256:{digest.sha256}"

    @contextmanager
    def get(
        self, url: str, headers: Mapping[str, str], _: RetryPolicy, deadline: RequestDeadline
    ) -> Iterator[HttpResponse]:
        """Yield the response to GET a blob's URL, with the login; an HttpGet."""
        name = url.removeprefix(self._base).rpartition("/blobs/")[0]
        with self._send("GET", url, name, headers, deadline) as response:
            yield response

    def _ask(
        self,
        method: str,
        url: str,
        name: str,
        headers: Mapping[str, str] = {},
        body: bytes = b"",
        but: Collection[int] = (),
        deadline: RequestDeadline | None = None,
    ) -> _Answer:
        """Return a success, or a response with a status of ``but``; raises PipelineError."""

        def attempt(deadline: RequestDeadline) -> _Answer:
            with self._send(method, url, name, headers, deadline, body) as response:
                if response.status not in but:
                    response.check({})
                data = response.read(MOST_MANIFEST_BYTES)
                return _Answer(response.status, response.headers, response.url, data)

        return self._retry(attempt, deadline or self._short_deadline())

    def _short_deadline(self) -> RequestDeadline:
        return RequestDeadline.after(min(self._policy.total, _SHORT_SECONDS))

    def _retry(self, attempt: Callable[[RequestDeadline], T], deadline: RequestDeadline) -> T:
        try:
            return with_retries(attempt, self._policy, deadline=deadline)
        except PermanentError as error:
            hint = self._hint(error.status) or error.hint
            raise _failed(self.describe(), str(error), hint) from None

    @contextmanager
    def _send(
        self,
        method: str,
        url: str,
        name: str,
        headers: Mapping[str, str],
        deadline: RequestDeadline,
        body: bytes | Path = b"",
    ) -> Iterator[HttpResponse]:
        """Yield the response to a request with the login, once the registry asks for it."""
        key = (name, method not in ("GET", "HEAD"))
        ours = same_origin(url, self._base)
        headers = {"Accept-Encoding": "identity", **headers}

        def with_login() -> dict[str, str]:
            login = self._known.get(key)
            return {**headers, "Authorization": login} if login and ours else dict(headers)

        with self._http.request(method, url, with_login(), deadline, body=body) as response:
            if response.status != 401 or not ours:
                yield response
                return
            challenge = response.headers.get("WWW-Authenticate", "")
        answer = authorization(challenge, url, self._login, self._http, deadline)
        if answer is None:
            raise PermanentError("authentication required", status=401)
        self._known[key] = answer
        with self._http.request(method, url, with_login(), deadline, body=body) as response:
            yield response

    def _hint(self, status: int | None) -> str:
        if status not in (401, 403):
            return ""
        return f"Log in with `docker login {self._host}`, or request write access."


def _next_page(link: str, host: str) -> str:
    """Return the query of the next page's URL, or '' if the URL is of another server."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    return parts.query if parts.netloc in ("", host) and parts.query.isprintable() else ""


def _is_namespace(text: str) -> bool:
    parts = text.split("/") if text else []
    return all(
        part
        and part.strip("._-") == part
        and part.replace(".", "").replace("_", "").replace("-", "").isalnum()
        and part == part.lower()
        for part in parts
    )


def _failed(where: str, found: str, hint: str = "") -> PipelineError:
    return PipelineError(
        Code.PUBLISH, "The registry request failed.", where=where, found=found, hint=hint
    )
