"""A hub of models, asked through huggingface_hub: one repository for each fixture."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError, printable
from pipeline.store.digest import Digest
from pipeline.work.once import Once

_OWNER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,95}")
_BRANCH = "main"
# What a hub writes by itself.
_OF_THE_HUB = (".gitattributes",)
_PIECE = 1 << 20
_SILENT_SECONDS = 60.0


class Hub:
    """The repositories of one owner. The address and the login are those of huggingface_hub.

    ``HF_ENDPOINT`` names another hub, ``HF_TOKEN`` or ``hf auth login`` the login.
    """

    def __init__(self, owner: str) -> None:
        if not _OWNER.fullmatch(owner.strip("/")):
            raise PipelineError(
                Code.USAGE,
                "This is no place on a hub.",
                where=printable(f"hf://{owner}"[:100]),
                expected="hf://OWNER, a person or an organisation",
            )
        if importlib.util.find_spec("huggingface_hub") is None:
            raise PipelineError(
                Code.USAGE,
                "Hubs need a package that is not installed.",
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
        """Return the address."""
        return f"hf://{self._owner}"

    def tags(self, name: str) -> Mapping[str, str]:
        """Return the tags of a repository and their commits, none where there is none."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._faults():
            try:
                refs = self._api.list_repo_refs(self._repository(name))
            except RepositoryNotFoundError:
                return {}
            return {str(each.name): str(each.target_commit) for each in refs.tags}

    def read(self, name: str, tag: str, path: str, limit: int) -> bytes | None:
        """Return a short file's bytes, or None; raises PipelineError."""
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

    def bring(
        self, name: str, tag: str, path: str, size: int, part: Path, tell: Callable[[int], None]
    ) -> None:
        """Bring a file, going on from what is there; raises PipelineError.

        No more than ``size`` bytes are written; whether they are the right ones is for the caller.
        ``tell`` hears how many there are by now.
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
                    tell(done)

    def commit(
        self, name: str, files: Mapping[str, Path], message: str, say: Callable[[str], None]
    ) -> tuple[str, int]:
        """Make the repository hold just these files; return the commit, and the bytes it lacked.

        All are visible together, or none. What an interrupted call has uploaded is found again.
        Raises PipelineError.
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
            held = {_identity(each) for each in there.values()}
            lacking, operations = {}, []
            for path, file in files.items():
                operation = CommitOperationAdd(path_in_repo=path, path_or_fileobj=str(file))
                operations.append(operation)
                names = _identities(file)
                if not held & set(names):
                    say(f"uploading {path}")
                    lacking[names] = file.stat().st_size
                    self._api.preupload_lfs_files(repository, [operation], free_memory=False)
            gone = there.keys() - files.keys() - set(_OF_THE_HUB)
            deletions = [CommitOperationDelete(path_in_repo=path) for path in sorted(gone)]
            made = self._api.create_commit(
                repository, [*operations, *deletions], commit_message=message
            )
        return str(made.oid), sum(lacking.values())

    def tag(self, name: str, tag: str, commit: str) -> bool:
        """Make a tag stand for a commit; return whether it was free. Raises PipelineError."""
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
        asked = {**build_hf_headers(), **headers, "Accept-Encoding": "identity"}
        with session.stream("GET", url, headers=asked, follow_redirects=True) as response:
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
            # Its own errors are OSErrors too; a file of ours has a name.
            if error.filename is not None:
                raise
            raise self._told(error) from None
        except Exception as error:
            raise self._told(error) from None

    def _told(self, error: Exception) -> PipelineError:
        # Never the error's own words, which may hold an address with its token.
        status = getattr(getattr(error, "response", None), "status_code", None)
        found = type(error).__name__ if status is None else f"status {status}"
        return _wrong(self.describe(), found, _hint(status))


def _bind() -> None:
    """Let the library ask with a client that waits no longer than we do."""
    from huggingface_hub import set_client_factory

    set_client_factory(_client)


# A second time would close the client that another thread asks with.
_bound = Once(_bind)


def _client() -> Any:
    """Return the library's own client, which by itself would wait for ever."""
    from huggingface_hub.utils._http import default_client_factory

    client = default_client_factory()
    client.timeout = _SILENT_SECONDS
    return client


def _identities(path: Path) -> tuple[str, str]:
    """Return how a hub may know a file: by its SHA-256, or as git knows it."""
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
        return "Log in with `hf auth login`, or set HF_TOKEN to a token that may write."
    return ""


def _wrong(where: str, found: str, hint: str = "") -> PipelineError:
    return PipelineError(
        Code.PUBLISH, "The hub did not do as asked.", where=where, found=found, hint=hint
    )
