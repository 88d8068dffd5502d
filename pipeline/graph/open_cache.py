"""The cache that a project's settings declare."""

from __future__ import annotations

import os

from pipeline.cache.cache import Cache
from pipeline.cache.remote.open_store import open_remote_store
from pipeline.cache.remote.remote_cache import RemoteCache
from pipeline.cache.remote.remote_store import RemoteStore
from pipeline.config.schema import Project, RemoteCacheSettings
from pipeline.errors import Code, PipelineError
from pipeline.graph.layout import Layout


def open_cache(layout: Layout, project: Project) -> Cache:
    """Return the cache of the project, with its remote cache if there is one.

    Raises PipelineError (CONFIG) for a secret that the environment does not have.
    """
    remote = project.remote
    if remote is None or project.offline:
        return Cache(layout.cache)
    secret = _variable(remote.secret_env) if remote.secret_env else ""
    return Cache(
        layout.cache, RemoteCache(_open(remote), write=remote.write, secret=secret.encode())
    )


def check_environment(project: Project) -> None:
    """Raise PipelineError (CONFIG) if a variable of the remote cache is missing."""
    for name in variables(project):
        _variable(name)


def variables(project: Project) -> tuple[str, ...]:
    """Return the variables of the environment that the remote cache needs."""
    remote = project.remote
    if remote is None or project.offline:
        return ()
    return tuple(filter(None, (remote.token_env, remote.secret_env)))


def _open(remote: RemoteCacheSettings) -> RemoteStore:
    token = _variable(remote.token_env) if remote.token_env else None
    return open_remote_store(remote.url, token=token, seconds=remote.seconds)


def _variable(name: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        raise PipelineError(
            Code.CONFIG,
            f"The remote cache needs the environment variable {name}.",
            where="configs/project.toml",
            hint="Set it, or remove the key from [remote].",
        )
    return found
