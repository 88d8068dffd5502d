"""The step ``pictures``: list a dataset's images; from archives and buckets, pack them by shard.

Unreadable images are skipped or an error, depending on the config's ``bad``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.dataset import picture_pack
from pipeline.tensor.dataset.archive_pictures import ArchivePictures
from pipeline.tensor.dataset.bucket_pictures import BucketPictures
from pipeline.tensor.dataset.pictures import Pictures, check_shares, shard_of

_SAY_EVERY = 25


class PictureListing(msgspec.Struct, frozen=True, kw_only=True):
    """The number of images in each shard, and the unreadable ones with the reason."""

    shards: list[int]
    faults: dict[str, str]


def list_pictures(job: Job) -> None:
    """Recipe: record the ``names`` and ``faults`` of a folder's images.

    Parameters: also ``where``, ``bad`` and ``shards``. Output: ``pictures``. Raises PipelineError
    (TENSOR).
    """
    names = cast(list[str], job.parameters["names"])
    faults = cast(Mapping[str, str], job.parameters["faults"])
    shards = [0] * cast(int, job.parameters["shards"])
    for name in names:
        shards[shard_of(name, len(shards))] += 1
    _write(job, names, dict(faults), shards)


def pack_archive(job: Job) -> None:
    """Recipe: pack the images of the input ``archive``, called ``label`` in messages.

    Parameters: also ``where``, ``bad`` and ``shards``. Outputs: ``pictures``, and ``pack.<n>`` for
    each shard. Raises PipelineError (TENSOR, SOURCE_ARCHIVE).
    """
    _pack(job, ArchivePictures(job.inputs["archive"], str(job.parameters["label"])))


def pack_bucket(job: Job) -> None:
    """Recipe: pack the images of the bucket at the URL ``bucket``; see ``pack_archive``.

    Fails if ``means["offline"]``. Raises PipelineError (TENSOR, CONFIG, SOURCE_UNREACHABLE).
    """
    url = str(job.parameters["bucket"])
    if job.unkeyed["offline"]:
        raise PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The bucket cannot be read: the project is offline.",
            where=url,
            hint="Set offline = false in configs/project.toml.",
        )
    _pack(job, BucketPictures(url))


def _pack(job: Job, pictures: Pictures) -> None:
    shards = [0] * cast(int, job.parameters["shards"])
    for number in range(len(shards)):
        job.outputs[f"pack.{number}"].touch()
    names: list[str] = []
    faults: dict[str, str] = {}
    for count, picture in enumerate(pictures.each(job.scratch), 1):
        if picture.fault:
            faults[picture.name] = picture.fault
        else:
            shard = shard_of(picture.name, len(shards))
            shards[shard] += 1
            names.append(picture.name)
            picture_pack.append(job.outputs[f"pack.{shard}"], picture)
        if count % _SAY_EVERY == 0:
            job.progress(f"{count:,} images", picture.progress)
    _write(job, names, faults, shards)


def _write(job: Job, names: list[str], faults: dict[str, str], shards: list[int]) -> None:
    where = str(job.parameters["where"])
    if faults and job.parameters["bad"] == "fail":
        name, fault = next(iter(sorted(faults.items())))
        raise PipelineError(
            Code.TENSOR,
            fault,
            where=f"{where}: {name}",
            hint='Remove the file, or skip such images with bad = "skip".',
        )
    check_shares(names, len(shards), where)
    gathered = PictureListing(shards=shards, faults=dict(sorted(faults.items())))
    job.outputs["pictures"].write_bytes(msgspec.json.format(msgspec.json.encode(gathered)))
