"""OCI registry client, by oras: manifests and blobs, with limits on time and size."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.once import Once
from pipeline.http.urls import http_fault
from pipeline.publish.places.oci_artifact import MANIFEST_TYPE, MOST_MANIFEST_BYTES

_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 60.0
_ATTEMPTS = 3
_PIECE = 1 << 20
_AGAIN = (408, 429, 500, 502, 503, 504)


class OciClient:
    """One registry and a namespace in it. Credentials are those of docker's configuration."""

    def __init__(self, place: str) -> None:
        host, _, namespace = place.strip("/").partition("/")
        local = not http_fault(f"http://{host}/")
        if http_fault(f"https://{host}/") or "@" in host or not _is_namespace(namespace):
            raise PipelineError(
                Code.USAGE,
                "Invalid registry URL.",
                where=printable(f"oci://{place}"),
                expected="oci://HOST/NAMESPACE, in lower case",
            )
        self._host, self._namespace = host, namespace
        self._local = local
        self._basic = False
        _check_installed(host)
        self._connected = Once(self._connect)

    @property
    def _oras(self) -> Any:
        return self._connected.get()

    def _connect(self) -> Any:
        """Return the client, for the kind of authentication that the registry uses."""
        import requests

        prefix = "http" if self._local else "https"
        with requests.get(
            f"{prefix}://{self._host}/v2/",
            timeout=(_CONNECT_SECONDS, _SILENT_SECONDS),
            stream=True,
        ) as asked:
            challenge = asked.headers.get("Www-Authenticate", "")
        self._basic = challenge.lower().startswith("basic")
        client = _client(self._host, self._local, self._basic)
        if self._basic and not getattr(client.auth, "_basic_auth", None):
            raise _wrong(self.describe(), "authentication required", _login(self._host))
        return client

    def describe(self) -> str:
        """Return the URL."""
        return f"oci://{self._host}" + (f"/{self._namespace}" if self._namespace else "")

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository, empty if it does not exist; raises PipelineError."""
        with self._faults():
            response = self._ask("GET", f"{self._repository(name)}/tags/list", stream=True)
            if response.status_code == 404:
                return []
            self._check(response)
            import json

            return [str(tag) for tag in json.loads(_body(response)).get("tags") or []]

    def manifest(self, name: str, tag: str) -> bytes | None:
        """Return a manifest's bytes, or None; raises PipelineError."""
        with self._faults():
            response = self._ask(
                "GET",
                f"{self._repository(name)}/manifests/{tag}",
                headers={"Accept": MANIFEST_TYPE},
                stream=True,
            )
            if response.status_code == 404:
                return None
            self._check(response)
            return _body(response)

    def put_manifest(self, name: str, tag: str, data: bytes) -> None:
        """Push a manifest with a tag; raises PipelineError."""
        with self._faults():
            response = self._ask(
                "PUT",
                f"{self._repository(name)}/manifests/{tag}",
                headers={"Content-Type": MANIFEST_TYPE},
                data=data,
            )
            self._check(response)

    def has_blob(self, name: str, digest: Digest) -> bool:
        """Return whether a blob exists; raises PipelineError."""
        with self._faults():
            response = self._ask("HEAD", f"{self._repository(name)}/blobs/sha256:{digest.sha256}")
            if response.status_code != 404:
                self._check(response)
            return bool(response.status_code == 200)

    def put_blob(self, name: str, digest: Digest, source: Path | bytes) -> None:
        """Upload a blob from a file or from bytes; raises PipelineError."""
        with self._faults():
            for attempt in range(_ATTEMPTS):
                response = self._upload(name, digest, source)
                # Another publisher may have uploaded the same blob meanwhile.
                if response.status_code == 201 or self.has_blob(name, digest):
                    return
                if response.status_code not in _AGAIN or attempt == _ATTEMPTS - 1:
                    break
                time.sleep(2.0**attempt)
            self._check(response)

    def get_blob(
        self,
        name: str,
        digest: Digest,
        part: Path,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Download a blob to a file, resuming a partial one; raises PipelineError.

        At most its size is written; the caller verifies the bytes. ``on_bytes`` receives the number
        of bytes so far.
        """
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if 0 < have < digest.size else {}
        with self._faults():
            url = f"{self._repository(name)}/blobs/sha256:{digest.sha256}"
            with self._ask("GET", url, headers=headers, stream=True) as response:
                self._check(response)
                done = have if response.status_code == 206 else 0
                with part.open("ab" if done else "wb") as stream:
                    for piece in response.iter_content(_PIECE):
                        done += len(piece)
                        if done > digest.size:
                            raise _wrong(self.describe(), f"more than {digest.size} bytes")
                        stream.write(piece)
                        on_bytes(done)

    def _upload(self, name: str, digest: Digest, source: Path | bytes) -> Any:
        started = self._ask("POST", f"{self._repository(name)}/blobs/uploads/")
        self._check(started)
        address = self._oras._get_location(started, self._oras.get_container(self._full(name)))
        url = f"{address}{'&' if '?' in address else '?'}digest=sha256:{digest.sha256}"
        data = source if isinstance(source, bytes) else _Pieces(source, digest.size)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(digest.size)}
        return self._ask("PUT", url, headers=headers, data=data)

    def _ask(self, method: str, url: str, **options: Any) -> Any:
        # Without oras's own retries, which take most of a minute to report an unreachable server.
        client = self._oras
        if getattr(client.auth, "_basic_auth", None) and self._basic:
            options["headers"] = {**options.get("headers", {}), **client.auth.get_auth_header()}
        request = type(client).do_request
        once = partial(getattr(request, "__wrapped__", request), client, url, method, **options)
        response = once()
        for attempt in range(_ATTEMPTS - 1):
            # A registry may fail to read a tag that is being written.
            safe = method in ("GET", "HEAD") or "/manifests/" in url
            if not safe or response.status_code not in _AGAIN:
                break
            time.sleep(0.5 * 2**attempt)
            response = once()
        return response

    def _repository(self, name: str) -> str:
        path = self._full(name).partition("/")[2]
        return f"{self._oras.prefix}://{self._host}/v2/{path}"

    def _full(self, name: str) -> str:
        return "/".join(filter(None, (self._host, self._namespace, name)))

    def _check(self, response: Any) -> None:
        status = int(response.status_code)
        if status in (200, 201, 202, 206):
            return
        hint = ""
        if status in (401, 403):
            hint = _login(self._host)
        raise _wrong(self.describe(), f"status {status} {printable(response.reason or '')}", hint)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        import requests

        try:
            yield
        except PipelineError:
            raise
        except requests.Timeout:
            raise _wrong(self.describe(), "timed out") from None
        except requests.ConnectionError:
            raise _wrong(self.describe(), "connection refused or dropped") from None
        except (requests.RequestException, ValueError, RecursionError) as error:
            # The error's message may contain a URL with a token.
            found = (
                "authentication required" if "authenticat" in str(error) else type(error).__name__
            )
            hint = _login(self._host) if "required" in found else ""
            raise _wrong(self.describe(), found, hint) from None


class _Pieces:
    """Streams a file's bytes, from the start on each attempt: authentication may need a retry."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece


def _check_installed(host: str) -> None:
    if importlib.util.find_spec("oras") is None:
        raise PipelineError(
            Code.USAGE,
            "The package for registries is not installed.",
            where=f"oci://{host}",
            hint="pip install 'wasi-nn-pipeline[oci]'",
        )


def _client(host: str, local: bool, basic: bool) -> Any:
    import oras.provider

    backend = "basic" if basic else "token"
    client = oras.provider.Registry(hostname=host, insecure=local, auth_backend=backend)
    client.session.request = partial(
        client.session.request, timeout=(_CONNECT_SECONDS, _SILENT_SECONDS)
    )
    client.auth.hostname = host
    # oras ignores docker's variable for the location of its configuration.
    named = os.environ.get("DOCKER_CONFIG")
    configs = [str(path)] if named and (path := Path(named) / "config.json").is_file() else None
    client.auth.load_configs(client.get_container(f"{host}/x"), configs)
    return client


def _login(host: str) -> str:
    return f"Log in with `docker login {host}`, or request write access."


def _is_namespace(text: str) -> bool:
    parts = text.split("/") if text else []
    return all(
        part
        and part.strip("._-") == part
        and part.replace(".", "").replace("_", "").replace("-", "").isalnum()
        and part == part.lower()
        for part in parts
    )


def _body(response: Any) -> bytes:
    data = bytearray()
    for piece in response.iter_content(65536):
        data += piece
        if len(data) > MOST_MANIFEST_BYTES:
            raise _wrong("the registry", f"a document of more than {MOST_MANIFEST_BYTES} bytes")
    return bytes(data)


def _wrong(where: str, found: str, hint: str = "") -> PipelineError:
    return PipelineError(
        Code.PUBLISH, "The registry request failed.", where=where, found=found, hint=hint
    )
