"""The places to publish releases to, by URL."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import Destination

_BUCKETS = ("s3", "gs", "gcs", "az", "abfs", "memory")


def open_destination(text: str) -> Destination:
    """Return the place of a URL; raises PipelineError (USAGE).

    >>> open_destination("/srv/fixtures").describe()
    '/srv/fixtures'
    """
    scheme, colon, rest = text.partition(":")
    if scheme == "oci" and rest.startswith("//"):
        from pipeline.publish.places.oci import OciRegistry

        return OciRegistry(rest.removeprefix("//"))
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
