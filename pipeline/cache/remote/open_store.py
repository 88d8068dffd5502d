"""Open a remote cache by its URL."""

from __future__ import annotations

from pipeline.cache.remote.remote_store import RemoteStore


def open_remote_store(url: str, *, token: str | None, seconds: float) -> RemoteStore:
    """Return the remote cache at a URL, without connecting.

    Raises PipelineError (CONFIG) for an unsupported URL.
    """
    if url.startswith(("http://", "https://")):
        from pipeline.cache.remote.http_store import HttpStore

        return HttpStore(url, token=token, seconds=seconds)
    from pipeline.cache.remote.bucket_store import BucketStore

    return BucketStore(url, seconds=seconds)
