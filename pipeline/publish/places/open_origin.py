"""The places to fetch releases from, by URL."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.publish.places.indexed import IndexedOrigin
from pipeline.publish.places.origin import Origin
from pipeline.source.download_cache import DownloadCache

_BUCKETS = ("s3", "gs", "gcs", "az", "abfs", "memory")


def open_origin(text: str, downloads: DownloadCache) -> Origin:
    """Return the place of a URL; raises PipelineError (USAGE)."""
    from pipeline.publish.places.index_readers import BucketReader, FolderReader, HttpReader

    scheme, _, rest = text.partition(":")
    if scheme in ("http", "https"):
        return IndexedOrigin(HttpReader(text, downloads))
    if scheme == "oci" and rest.startswith("//"):
        from pipeline.publish.places.oci_origin import OciOrigin

        return OciOrigin(rest.removeprefix("//"), downloads)
    if scheme == "hf" and rest.startswith("//"):
        from pipeline.publish.places.hub_origin import HubOrigin

        return HubOrigin(rest.removeprefix("//"), downloads)
    if scheme in _BUCKETS and rest.startswith("//"):
        return IndexedOrigin(BucketReader(text, downloads))
    if not text or rest.startswith("//"):
        raise PipelineError(
            Code.USAGE,
            "Unsupported source.",
            where=text or "--from",
            expected="https://…, oci://HOST/NAMESPACE, hf://OWNER, s3://…, gs://…, az://… "
            "or a folder",
        )
    return IndexedOrigin(FolderReader(Path(text), downloads))
