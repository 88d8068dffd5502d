"""Client for a model hub, by huggingface_hub: one repository for each fixture."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.once import Once

_OWNER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,95}")
_BRANCH = "main"
# Files that the hub creates.
_OF_THE_HUB = (".gitattributes",)
_PIECE = 1 << 20
_SILENT_SECONDS = 60.0


class HubClient:
    """The repositories of one owner. URL and login are those of huggingface_hub.

    ``HF_ENDPOINT`` selects another hub; ``HF_TOKEN`` or ``hf auth login`` the login.
    """

    def __init__(self, owner: str) -> None:
        if not _OWNER.fullmatch(owner.strip("/")):
            raise PipelineError(
                Code.USAGE,
                "Invalid hub URL.",
                where=printable(f"hf://{owner}"[:100]),
                expected="hf://OWNER, a user or an organisation",
            )
        if importlib.util.find_spec("huggingface_hub") is None:
            raise PipelineError(
                Code.USAGE,
                "The package for hubs is not installed.",
                where=f"hf://{owner}",
                hint="pip install 'wasi-nn-pipeline[hub]'",
            )
        self._owner = owner.strip("/")

    @property
    def _api(self) -> Any:
        from huggingface_hub import HfApi

        _bound.get()
        return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))

    @property
    def _session(self) -> Any:
        from huggingface_hub import get_session

        _bound.get()
        return get_session()

    def describe(self) -> str:
        """Return the URL."""
        return f"hf://{self._owner}"

    def tags(self, name: str) -> Mapping[str, str]:
        """Return the tags of a repository with their commits; empty if it does not exist."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._faults():
            try:
                refs = self._api.list_repo_refs(self._repository(name))
            except RepositoryNotFoundError:
                return {}
            return {str(each.name): str(each.target_commit) for each in refs.tags}

    def read(self, name: str, tag: str, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        data = bytearray()
        with self._faults(), self._get(name, tag, path, {}) as response:
            if response.status_code == 404:
                return None
            self._check(response)
            for piece in response.iter_bytes(65536):
                data += piece
                if len(data) > limit:
                    raise _wrong(self.describe(), f"{path} of more than {limit} bytes")
        return bytes(data)

    def download(
        self, name: str, tag: str, path: str, size: int, part: Path, on_bytes: Callable[[int], None]
    ) -> None:
        """Download a file, resuming from ``part``; raises PipelineError.

        At most ``size`` bytes are written; the caller verifies them. ``on_bytes`` receives the
        number of bytes so far.
        """
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if 0 < have < size else {}
        with self._faults(), self._get(name, tag, path, headers) as response:
            self._check(response)
            done = have if response.status_code == 206 else 0
            with part.open("ab" if done else "wb") as stream:
                for piece in response.iter_bytes(_PIECE):
                    done += len(piece)
                    if done > size:
                        raise _wrong(self.describe(), f"{path} of more than {size} bytes")
                    stream.write(piece)
                    on_bytes(done)

    def commit(
        self, name: str, files: Mapping[str, Path], message: str, progress: Callable[[str], None]
    ) -> tuple[str, int]:
        """Make the repository contain exactly these files; return the commit and bytes uploaded.

        All appear together or not at all. Uploads of an interrupted call are reused. Raises
        PipelineError.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        repository = self._repository(name)
        with self._faults():
            self._api.create_repo(repository, exist_ok=True)
            there = {
                each.path: each
                for each in self._api.list_repo_tree(repository, recursive=True)
                if hasattr(each, "size")
            }
            present = {_identity(each) for each in there.values()}
            missing, operations = {}, []
            for path, file in files.items():
                operation = CommitOperationAdd(path_in_repo=path, path_or_fileobj=str(file))
                operations.append(operation)
                names = _identities(file)
                if not present & set(names):
                    progress(f"uploading {path}")
                    missing[names] = file.stat().st_size
                    self._api.preupload_lfs_files(repository, [operation], free_memory=False)
            gone = there.keys() - files.keys() - set(_OF_THE_HUB)
            deletions = [CommitOperationDelete(path_in_repo=path) for path in sorted(gone)]
            made = self._api.create_commit(
                repository, [*operations, *deletions], commit_message=message
            )
        return str(made.oid), sum(missing.values())

    def tag(self, name: str, tag: str, commit: str) -> bool:
        """Create a tag for a commit; return whether it was free. Raises PipelineError."""
        from huggingface_hub.errors import HfHubHTTPError

        with self._faults():
            try:
                self._api.create_tag(self._repository(name), tag=tag, revision=commit)
            except HfHubHTTPError as error:
                if error.response.status_code == 409:
                    return False
                raise
        return True

    @contextmanager
    def _get(self, name: str, tag: str, path: str, headers: Mapping[str, str]) -> Iterator[Any]:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils._headers import build_hf_headers

        session = self._session
        url = hf_hub_url(
            self._repository(name), path, revision=tag, endpoint=os.environ.get("HF_ENDPOINT")
        )
        sent_headers = {**build_hf_headers(), **headers, "Accept-Encoding": "identity"}
        with session.stream("GET", url, headers=sent_headers, follow_redirects=True) as response:
            yield response

    def _repository(self, name: str) -> str:
        return f"{self._owner}/{name}"

    def _check(self, response: Any) -> None:
        status = int(response.status_code)
        if status not in (200, 206):
            raise _wrong(self.describe(), f"status {status}", _hint(status))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except PipelineError:
            raise
        except OSError as error:
            # The library's errors are OSErrors too; one of a local file has a filename.
            if error.filename is not None:
                raise
            raise self._error(error) from None
        except Exception as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> PipelineError:
        # Never show the error's message, which may contain a URL with a token.
        status = getattr(getattr(error, "response", None), "status_code", None)
        found = type(error).__name__ if status is None else f"status {status}"
        return _wrong(self.describe(), found, _hint(status))


def _bind() -> None:
    """Make the library use a client with our timeouts."""
    from huggingface_hub import set_client_factory

    set_client_factory(_client)


# A second time would close the client that another thread asks with.
_bound = Once(_bind)


def _client() -> Any:
    """Return the library's client with a timeout, which it lacks by default."""
    from huggingface_hub.utils._http import default_client_factory

    client = default_client_factory()
    client.timeout = _SILENT_SECONDS
    return client


def _identities(path: Path) -> tuple[str, str]:
    """Return the two ids by which a hub may know a file: SHA-256, and git's blob id."""
    size = path.stat().st_size
    blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            blob.update(piece)
    return Digest.of_file(path).sha256, blob.hexdigest()


def _identity(file: Any) -> str:
    return str(file.lfs.sha256 if file.lfs else file.blob_id)


def _hint(status: int | None) -> str:
    if status in (401, 403):
        return "Log in with `hf auth login`, or set HF_TOKEN to a token with write access."
    return ""


def _wrong(where: str, found: str, hint: str = "") -> PipelineError:
    return PipelineError(
        Code.PUBLISH, "The hub request failed.", where=where, found=found, hint=hint
    )
