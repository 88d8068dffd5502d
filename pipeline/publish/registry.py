"""An OCI registry, asked through oras: manifests and blobs, bounded in time and bytes."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError, printable
from pipeline.publish.oci import MANIFEST_TYPE, MOST_MANIFEST_BYTES
from pipeline.source.urls import http_fault
from pipeline.store.digest import Digest
from pipeline.work.once import Once

_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 60.0
_ATTEMPTS = 3
_PIECE = 1 << 20
_AGAIN = (408, 429, 500, 502, 503, 504)


class Registry:
    """One registry and the namespace in it. Logins are those of docker's own configuration."""

    def __init__(self, place: str) -> None:
        host, _, namespace = place.strip("/").partition("/")
        local = not http_fault(f"http://{host}/")
        if http_fault(f"https://{host}/") or "@" in host or not _is_namespace(namespace):
            raise PipelineError(
                Code.USAGE,
                "This is no place in a registry.",
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
        """Return the client, with the kind of login that the registry asks for."""
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
            raise _wrong(self.describe(), "it wants a login", _login(self._host))
        return client

    def describe(self) -> str:
        """Return the address."""
        return f"oci://{self._host}" + (f"/{self._namespace}" if self._namespace else "")

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository, none where there is none; raises PipelineError."""
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
        """Make a tag stand for a manifest; raises PipelineError."""
        with self._faults():
            response = self._ask(
                "PUT",
                f"{self._repository(name)}/manifests/{tag}",
                headers={"Content-Type": MANIFEST_TYPE},
                data=data,
            )
            self._check(response)

    def has_blob(self, name: str, digest: Digest) -> bool:
        """Return whether a blob is there; raises PipelineError."""
        with self._faults():
            response = self._ask("HEAD", f"{self._repository(name)}/blobs/sha256:{digest.sha256}")
            if response.status_code != 404:
                self._check(response)
            return bool(response.status_code == 200)

    def put_blob(self, name: str, digest: Digest, source: Path | bytes) -> None:
        """Upload a blob from a file, or from bytes; raises PipelineError."""
        with self._faults():
            for attempt in range(_ATTEMPTS):
                response = self._upload(name, digest, source)
                # Another publisher may have brought the same meanwhile.
                if response.status_code == 201 or self.has_blob(name, digest):
                    return
                if response.status_code not in _AGAIN or attempt == _ATTEMPTS - 1:
                    break
                time.sleep(2.0**attempt)
            self._check(response)

    def get_blob(
        self, name: str, digest: Digest, part: Path, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        """Bring a blob into a file, going on from what is there; raises PipelineError.

        No more bytes are written than it has; whether they are the right ones is for the caller.
        ``tell`` hears how many there are by now.
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
                        tell(done)

    def _upload(self, name: str, digest: Digest, source: Path | bytes) -> Any:
        started = self._ask("POST", f"{self._repository(name)}/blobs/uploads/")
        self._check(started)
        address = self._oras._get_location(started, self._oras.get_container(self._full(name)))
        url = f"{address}{'&' if '?' in address else '?'}digest=sha256:{digest.sha256}"
        data = source if isinstance(source, bytes) else _Pieces(source, digest.size)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(digest.size)}
        return self._ask("PUT", url, headers=headers, data=data)

    def _ask(self, method: str, url: str, **options: Any) -> Any:
        # Without oras's own waiting, which takes most of a minute to say that nobody answers.
        client = self._oras
        if getattr(client.auth, "_basic_auth", None) and self._basic:
            options["headers"] = {**options.get("headers", {}), **client.auth.get_auth_header()}
        request = type(client).do_request
        once = partial(getattr(request, "__wrapped__", request), client, url, method, **options)
        response = once()
        for attempt in range(_ATTEMPTS - 1):
            # A registry may read a tag that it is just writing.
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
            raise _wrong(self.describe(), "nothing came for too long") from None
        except requests.ConnectionError:
            raise _wrong(self.describe(), "the connection was refused or dropped") from None
        except (requests.RequestException, ValueError, RecursionError) as error:
            # Another's words may hold the address with its token.
            found = "it wants a login" if "authenticat" in str(error) else type(error).__name__
            hint = _login(self._host) if "login" in found else ""
            raise _wrong(self.describe(), found, hint) from None


class _Pieces:
    """A file's bytes, from the start each time they are sent: a login may come in between."""

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
            "Registries need a package that is not installed.",
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
    # oras itself does not know of the variable by which docker's own file is found.
    named = os.environ.get("DOCKER_CONFIG")
    configs = [str(path)] if named and (path := Path(named) / "config.json").is_file() else None
    client.auth.load_configs(client.get_container(f"{host}/x"), configs)
    return client


def _login(host: str) -> str:
    return f"Log in with `docker login {host}`, or ask for the right to write."


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
        Code.PUBLISH, "The registry did not do as asked.", where=where, found=found, hint=hint
    )
