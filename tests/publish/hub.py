"""A stand-in of the Hugging Face Hub: just the calls that its client makes here, on loopback.

Written from what the client sends and expects. It keeps commits whole, tags that do not move,
objects of Git LFS by their digest, and refuses to write without the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

# Its library reads these when it is imported; Xet's storage is a service of its own.
os.environ.update(
    HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1"
)
TOKEN = "hf_onlyhere"
# Larger files are objects of Git LFS.
_REGULAR = 1000


@dataclass
class Repository:
    """Commits by their ids, each with all of its files; and what points to them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    head: str = ""

    def add(self, files: dict[str, bytes]) -> str:
        seed = f"{self.head}{sorted(files)}{len(self.commits)}"
        self.head = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        self.commits[self.head] = files
        return self.head

    def at(self, revision: str) -> dict[str, bytes] | None:
        commit = self.head if revision == "main" else self.tags.get(revision, revision)
        return self.commits.get(commit)


@dataclass
class State:
    """All that the hub holds, and what was asked of it."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/refs", path):
            return self._refs(found[1])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)/?", path):
            return self._tree(found[1], found[2])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            repository = self.state.repositories.get(found[1])
            if repository is None:
                return self._error(404, "RepoNotFound")
            return self._json({"id": found[1], "sha": repository.head, "siblings": []})
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(*found.groups())
        return self._error(404, "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not body and self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        path = unquote(urlsplit(self.path).path)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._error(401, "")
        with self.state.lock:
            return self._write(path, body)

    def do_PUT(self) -> None:
        oid = self.path.rpartition("/")[2]
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if hashlib.sha256(data).hexdigest() != oid:
            return self._error(400, "")
        self.state.objects[oid] = data
        self.state.uploads.append(oid)
        return self._json({})

    def _write(self, path: str, body: bytes) -> None:
        repositories = self.state.repositories
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            if name in repositories:
                return self._json({"url": f"{self._base()}/{name}"}, 409)
            repositories[name] = Repository()
            repositories[name].add({".gitattributes": b"*.bin filter=lfs\n"})
            return self._json({"url": f"{self._base()}/{name}", "id": name})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = [
                {
                    "path": each["path"],
                    "uploadMode": "regular" if each["size"] < _REGULAR else "lfs",
                    "shouldIgnore": False,
                }
                for each in json.loads(body)["files"]
            ]
            return self._json({"files": files})
        if found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            objects = []
            for each in json.loads(body)["objects"]:
                told: dict[str, Any] = {"oid": each["oid"], "size": each["size"]}
                if each["oid"] not in self.state.objects:
                    told["actions"] = {"upload": {"href": f"{self._base()}/lfs/{each['oid']}"}}
                objects.append(told)
            return self._json({"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            return self._commit(found[1], body)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tag/([^/]+)", path):
            repository, tag = repositories[found[1]], json.loads(body)["tag"]
            if tag in repository.tags:
                return self._error(409, "")
            repository.tags[tag] = repository.head if found[2] == "main" else found[2]
            return self._json({}, 201)
        return self._error(404, "")

    def _commit(self, name: str, body: bytes) -> None:
        repository = self.state.repositories[name]
        files = dict(repository.commits[repository.head])
        for line in body.splitlines():
            step = json.loads(line)
            value = step["value"]
            if step["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif step["key"] == "lfsFile":
                files[value["path"]] = self.state.objects[value["oid"]]
            elif step["key"] == "deletedFile":
                del files[value["path"]]
        oid = repository.add(files)
        address = f"{self._base()}/{name}/commit/{oid}"
        return self._json({"commitUrl": address, "commitOid": oid, "pullRequestUrl": None})

    def _refs(self, name: str) -> None:
        repository = self.state.repositories.get(name)
        if repository is None:
            return self._error(404, "RepoNotFound")
        tags = [
            {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit}
            for tag, commit in repository.tags.items()
        ]
        head = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.head}
        return self._json({"branches": [head], "converts": [], "tags": tags})

    def _tree(self, name: str, revision: str) -> None:
        files = self.state.repositories[name].at(revision) or {}
        entries = []
        for path, data in files.items():
            blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False)
            entry = {"type": "file", "path": path, "size": len(data), "oid": blob.hexdigest()}
            if len(data) >= _REGULAR:
                oid = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return self._json(entries)

    def _file(self, name: str, revision: str, path: str) -> None:
        repository = self.state.repositories.get(name)
        if repository is None:
            return self._error(404, "RepoNotFound")
        files = repository.at(revision)
        if files is None:
            return self._error(404, "RevisionNotFound")
        if path not in files:
            return self._error(404, "EntryNotFound")
        data, status = files[path], 200
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            data, status = data[int(found[1]) :], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _base(self) -> str:
        return f"http://{self.headers['Host']}"

    def _json(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def stand_in() -> Iterator[tuple[str, State]]:
    """Yield the address of a hub, and what it holds."""
    state = State()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
