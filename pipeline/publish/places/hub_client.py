"""Client for a model hub: one repository for each fixture."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError, printable
from pipeline.http.client import HttpResponse, shared_client
from pipeline.http.retry import DEFAULT_RETRY_POLICY, PermanentError, RequestDeadline, RetryPolicy

POLICY = replace(DEFAULT_RETRY_POLICY, read=60.0, attempts=3)
_OWNER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,95}")
# Files that the hub creates.
_OF_THE_HUB = (".gitattributes",)
_PIECE = 1 << 20
_BYTES_PER_SECOND = 1 << 16
# The total is for uploads; a slow server should not use it up for a question.
SHORT_SECONDS = 120.0


class HubClient:
    """The repositories of one owner. URL and login are those of huggingface_hub.

    ``HF_ENDPOINT`` selects another hub; ``HF_TOKEN`` or ``hf auth login`` the login.
    """

    def __init__(self, owner: str, policy: RetryPolicy = POLICY) -> None:
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
        self._policy = policy

    def describe(self) -> str:
        """Return the URL."""
        return f"hf://{self._owner}"

    def tags(self, name: str) -> Mapping[str, str]:
        """Return the tags of a repository with their commits; empty if it does not exist."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._api(SHORT_SECONDS) as api:
            try:
                refs = api.list_repo_refs(self._repository(name))
            except RepositoryNotFoundError:
                return {}
            return {str(each.name): str(each.target_commit) for each in refs.tags}

    def url(self, name: str, tag: str, path: str) -> str:
        """Return the URL of a file."""
        from huggingface_hub import hf_hub_url

        endpoint = os.environ.get("HF_ENDPOINT")
        return hf_hub_url(self._repository(name), path, revision=tag, endpoint=endpoint)

    def get(
        self, url: str, headers: Mapping[str, str], policy: RetryPolicy, deadline: RequestDeadline
    ) -> AbstractContextManager[HttpResponse]:
        """Return the response to GET a file's URL, with the login; an HttpGet."""
        from huggingface_hub import constants, get_token

        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
        login = {"Authorization": f"Bearer {token}"} if token else {}
        return shared_client(policy).request("GET", url, {**login, **headers}, deadline)

    def commit(
        self, name: str, files: Mapping[str, Path], message: str, progress: Callable[[str], None]
    ) -> tuple[str, int]:
        """Make the repository contain exactly these files; return the commit and bytes uploaded.

        All appear together or not at all. Uploads of an interrupted call are reused. Raises
        PipelineError.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        repository = self._repository(name)
        with self._api(SHORT_SECONDS) as api:
            api.create_repo(repository, exist_ok=True)
            there = {
                each.path: each
                for each in api.list_repo_tree(repository, recursive=True)
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
                with self._api(self._policy.total, missing[names]) as api:
                    api.preupload_lfs_files(repository, [operation], free_memory=False)
        gone = there.keys() - files.keys() - set(_OF_THE_HUB)
        deletions = [CommitOperationDelete(path_in_repo=path) for path in sorted(gone)]
        size = sum(file.stat().st_size for file in files.values())
        with self._api(self._policy.total, size) as api:
            made = api.create_commit(repository, [*operations, *deletions], commit_message=message)
            return str(made.oid), sum(missing.values())

    def tag(self, name: str, tag: str, commit: str) -> bool:
        """Create a tag for a commit; return whether it was free. Raises PipelineError."""
        from huggingface_hub.errors import HfHubHTTPError

        with self._api(SHORT_SECONDS) as api:
            try:
                api.create_tag(self._repository(name), tag=tag, revision=commit)
            except HfHubHTTPError as error:
                if error.response.status_code == 409:
                    return False
                raise
        return True

    def _repository(self, name: str) -> str:
        return f"{self._owner}/{name}"

    @contextmanager
    def _api(self, seconds: float, size: int = 0) -> Iterator[Any]:
        """Yield the library's client for calls that take so long, or longer to send ``size`` bytes.

        Raises PipelineError.
        """
        from huggingface_hub import HfApi

        from pipeline.publish.places.hub_transport import LIMITS, CallLimits, bound

        bound.get()
        seconds = min(seconds, self._policy.total) + size / _BYTES_PER_SECOND
        limits = LIMITS.set(CallLimits(self._policy, RequestDeadline.after(seconds)))
        try:
            yield HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        except PipelineError:
            raise
        except OSError as error:
            # The library's errors are OSErrors too; one of a local file has a filename.
            if error.filename is not None:
                raise
            raise self._error(error) from None
        except Exception as error:
            raise self._error(error) from None
        finally:
            LIMITS.reset(limits)

    def _error(self, error: Exception) -> PipelineError:
        from httpx2 import NetworkError

        # Of our transport, without secrets.
        if isinstance(error, PermanentError | NetworkError):
            return self._failed(str(error), getattr(error, "status", None))
        # Never show the library's message, which may contain a URL with a token.
        status = getattr(getattr(error, "response", None), "status_code", None)
        return self._failed(type(error).__name__ if status is None else f"status {status}", status)

    def _failed(self, found: str, status: int | None) -> PipelineError:
        hint = "Log in with `hf auth login`, or set HF_TOKEN to a token with write access."
        return PipelineError(
            Code.PUBLISH,
            "The hub request failed.",
            where=self.describe(),
            found=found,
            hint=hint if status in (401, 403) else "",
        )


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
