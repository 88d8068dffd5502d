"""The cache that a project's settings declare."""

from __future__ import annotations

from pipeline.cache.cache import Cache
from pipeline.cache.remote.open_store import open_remote_store
from pipeline.cache.remote.remote_cache import RemoteCache
from pipeline.cache.remote.remote_store import RemoteStore
from pipeline.config.schema import Project, RemoteCacheSettings
from pipeline.graph.layout import Layout
from pipeline.http.paired_secrets import paired_secret


def open_cache(layout: Layout, project: Project) -> Cache:
    """Return the cache of the project, with its remote cache if there is one.

    Raises PipelineError (CONFIG) for a secret that the environment does not have, or that the user
    has not paired with the server.
    """
    remote = project.remote
    if remote is None or project.offline:
        return Cache(layout.cache)
    secret = _secret(remote, remote.secret_env)
    return Cache(
        layout.cache, RemoteCache(_open(remote), write=remote.write, secret=secret.encode())
    )


def check_environment(project: Project) -> None:
    """Raise PipelineError (CONFIG) if a variable of the remote cache is missing or not paired."""
    for name in variables(project):
        assert project.remote is not None
        _secret(project.remote, name)


def variables(project: Project) -> tuple[str, ...]:
    """Return the variables of the environment that the remote cache needs."""
    remote = project.remote
    if remote is None or project.offline:
        return ()
    return tuple(filter(None, (remote.token_env, remote.secret_env)))


def _open(remote: RemoteCacheSettings) -> RemoteStore:
    token = _secret(remote, remote.token_env) or None
    return open_remote_store(remote.url, token=token, seconds=remote.seconds)


def _secret(remote: RemoteCacheSettings, name: str) -> str:
    """Return a secret for the server, or '' without a name."""
    return paired_secret(name, remote.url, where="configs/project.toml") if name else ""
