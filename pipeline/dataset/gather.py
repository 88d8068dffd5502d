"""The step ``pictures``: which there are, and, out of an archive or bucket, each shard's in a pack.

What cannot be read is noted, or an error, as the config declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from pipeline.dataset import pack
from pipeline.dataset.archive import ArchivePictures
from pipeline.dataset.bucket import BucketPictures
from pipeline.dataset.pictures import Pictures, check_shares, shard_of
from pipeline.errors import Code, PipelineError
from pipeline.work.action import Job

_SAY_EVERY = 25


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """How many pictures each shard has, and those that cannot be read, with the reason."""

    shards: list[int]
    faults: dict[str, str]


def note_pictures(job: Job) -> None:
    """Recipe: note the ``names`` and ``faults`` of a folder's pictures, which the steps read.

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
    """Recipe: pack the pictures of the input ``archive``, which ``label`` names for people.

    Parameters: also ``where``, ``bad`` and ``shards``. Outputs: ``pictures``, and ``pack.<n>`` for
    each shard. Raises PipelineError (TENSOR, SOURCE_ARCHIVE).
    """
    _pack(job, ArchivePictures(job.inputs["archive"], str(job.parameters["label"])))


def pack_bucket(job: Job) -> None:
    """Recipe: as ``pack_archive``, out of the bucket at the address ``bucket``.

    ``means["offline"]`` forbids it. Raises PipelineError (TENSOR, CONFIG, SOURCE_UNREACHABLE).
    """
    url = str(job.parameters["bucket"])
    if job.means["offline"]:
        raise PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The bucket is not asked for its pictures, since the project is offline.",
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
            pack.append(job.outputs[f"pack.{shard}"], picture)
        if count % _SAY_EVERY == 0:
            job.say(f"{count:,} pictures", picture.reached)
    _write(job, names, faults, shards)


def _write(job: Job, names: list[str], faults: dict[str, str], shards: list[int]) -> None:
    where = str(job.parameters["where"])
    if faults and job.parameters["bad"] == "fail":
        name, fault = next(iter(sorted(faults.items())))
        raise PipelineError(
            Code.TENSOR,
            fault,
            where=f"{where}: {name}",
            hint='Take it out, or leave out such pictures with bad = "skip".',
        )
    check_shares(names, len(shards), where)
    gathered = Gathered(shards=shards, faults=dict(sorted(faults.items())))
    job.outputs["pictures"].write_bytes(msgspec.json.format(msgspec.json.encode(gathered)))
