"""The places to publish to and fetch from, by URL."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import Destination
from pipeline.publish.places.indexed import IndexedOrigin
from pipeline.publish.places.origin import Origin
from pipeline.source.download_cache import DownloadCache

_BUCKETS = ("s3", "gs", "gcs", "az", "abfs", "memory")


def open_destination(text: str) -> Destination:
    """Return the place of a URL to publish to; raises PipelineError (USAGE).

    >>> open_destination("/srv/fixtures").describe()
    '/srv/fixtures'
    """
    scheme, colon, rest = text.partition(":")
    if scheme == "oci" and rest.startswith("//"):
        from pipeline.publish.places.oci import OciDestination

        return OciDestination(rest.removeprefix("//"))
    if scheme == "oci-layout" and rest:
        from pipeline.publish.places.oci_layout import OciLayout

        return OciLayout(Path(rest))
    if scheme == "hf" and rest.startswith("//"):
        from pipeline.publish.places.hub import HubDestination

        return HubDestination(rest.removeprefix("//"))
    if scheme in _BUCKETS and rest.startswith("//"):
        from pipeline.publish.places.bucket import Bucket

        return Bucket(text)
    if not text or (colon and rest.startswith("//")):
        raise PipelineError(
            Code.USAGE,
            "Unsupported destination.",
            where=text or "--to",
            expected="a folder, oci://HOST/NAMESPACE, oci-layout:FOLDER, hf://OWNER, "
            "s3://…, gs://… or az://…",
        )
    from pipeline.publish.places.folder import Folder

    return Folder(Path(text))


def open_origin(text: str, downloads: DownloadCache) -> Origin:
    """Return the place of a URL to fetch from; raises PipelineError (USAGE)."""
    scheme, _, rest = text.partition(":")
    if scheme in ("http", "https"):
        from pipeline.publish.places.site import SiteReader

        return IndexedOrigin(SiteReader(text, downloads))
    if scheme == "oci" and rest.startswith("//"):
        from pipeline.publish.places.oci import OciOrigin

        return OciOrigin(rest.removeprefix("//"), downloads)
    if scheme == "hf" and rest.startswith("//"):
        from pipeline.publish.places.hub import HubOrigin

        return HubOrigin(rest.removeprefix("//"), downloads)
    if scheme in _BUCKETS and rest.startswith("//"):
        from pipeline.publish.places.bucket import BucketReader

        return IndexedOrigin(BucketReader(text, downloads))
    if not text or rest.startswith("//"):
        raise PipelineError(
            Code.USAGE,
            "Unsupported source.",
            where=text or "--from",
            expected="https://…, oci://HOST/NAMESPACE, hf://OWNER, s3://…, gs://…, az://… "
            "or a folder",
        )
    from pipeline.publish.places.folder import FolderReader

    return IndexedOrigin(FolderReader(Path(text), downloads))
