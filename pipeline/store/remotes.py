"""The caches elsewhere, by their addresses."""

from __future__ import annotations

from pipeline.store.remote import Remote


def open_remote(url: str, *, token: str | None, seconds: float) -> Remote:
    """Return the cache at an address, with nothing asked yet.

    Raises PipelineError (CONFIG) where no library knows such a place.
    """
    if url.startswith(("http://", "https://")):
        from pipeline.store.http_remote import HttpRemote

        return HttpRemote(url, token=token, seconds=seconds)
    from pipeline.store.bucket_remote import BucketRemote

    return BucketRemote(url)
