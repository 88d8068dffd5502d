"""The step ``dataset``: the index of all shards as JSON lines.

The first line describes the tensors; each further line an image: its shard, the offset of its
tensor in bytes, the tensor's SHA-256, its label and class; or why it was skipped. Tensors are
little-endian, dense and concatenated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import msgspec

from pipeline.cache.json_decoding import convert_value, decode_json, json_decoder
from pipeline.config.tensor_tables import Tensor
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.dataset.labels import class_numbers, file_labels, folder_labels
from pipeline.tensor.dataset.list_pictures import PictureListing
from pipeline.tensor.text_lines import read_lines

VERSION = 1
_FIRST = 3


class IndexLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image: its tensor, or the reason in ``skipped`` why it has none.

    ``offset`` is in bytes from the start of the shard; ``class_number`` starts at 0.
    """

    picture: str
    shard: int | None = None
    offset: int | None = None
    sha256: str = ""
    label: str = ""
    class_number: int | None = msgspec.field(default=None, name="class")
    skipped: str = ""
    found: str = ""


class IndexHead(msgspec.Struct, frozen=True, kw_only=True):
    """The description of the dataset's tensors, and their number."""

    version: int
    dataset: str
    dims: list[int]
    type: str
    colour: str | None
    layout: str | None
    tensors: int
    skipped: int
    shards: list[str]


def make_index(job: Job) -> None:
    """Recipe: write the ``index`` of a dataset.

    Inputs: ``pictures``, ``shard.<n>`` (each shard's own index), ``labels`` and ``classes`` where
    declared. Parameters: ``where``, ``name``, ``dims``, ``tensor``, ``files`` (the shards' names),
    ``label_folders``, ``classified``. Raises PipelineError (TENSOR).
    """
    where = str(job.parameters["where"])
    tensor = convert_value(job.parameters["tensor"], Tensor)
    files = cast(list[str], job.parameters["files"])
    gathered = decode_json(job.inputs["pictures"].read_bytes(), PictureListing)
    skipped = {name: IndexLine(picture=name, skipped=why) for name, why in gathered.faults.items()}
    good: list[IndexLine] = []
    for number in range(len(files)):
        for line in lines(job.inputs[f"shard.{number}"]):
            if line.skipped:
                skipped[line.picture] = line
            else:
                good.append(msgspec.structs.replace(line, shard=number))
    if not good:
        first = [f"{line.picture}: {line.skipped}" for line in list(skipped.values())[:_FIRST]]
        raise PipelineError(
            Code.TENSOR,
            "None of the dataset's images can be read.",
            where=where,
            found=f"{len(skipped)} skipped images",
            detail="\n".join(first),
        )
    labels = _labels(job, [line.picture for line in good], where)
    numbers: Mapping[str, int] = {}
    if "classes" in job.inputs or job.parameters["classified"]:
        classes = read_lines(job.inputs["classes"], where) if "classes" in job.inputs else None
        numbers = class_numbers(labels.values(), classes, where)
    head = IndexHead(
        version=VERSION,
        dataset=str(job.parameters["name"]),
        dims=cast(list[int], job.parameters["dims"]),
        type=tensor.type,
        colour=tensor.colour,
        layout=tensor.layout,
        tensors=len(good),
        skipped=len(skipped),
        shards=files,
    )
    encoder = msgspec.json.Encoder()
    with job.outputs["index"].open("wb") as stream:
        stream.write(encoder.encode(head) + b"\n")
        for line in sorted([*good, *skipped.values()], key=lambda line: line.picture):
            label = labels.get(line.picture, "")
            labelled = msgspec.structs.replace(line, label=label, class_number=numbers.get(label))
            stream.write(encoder.encode(labelled) + b"\n")


def lines(shard: Path) -> Iterator[IndexLine]:
    """Yield the lines of a shard's own index."""
    decoder = json_decoder(IndexLine)
    with shard.open("rb") as stream:
        for text in stream:
            yield decoder.decode(text)


def read_index(path: Path) -> tuple[IndexHead, Iterator[IndexLine]]:
    """Return the head of a dataset's index, and its lines sorted by image name."""
    with path.open("rb") as stream:
        head = decode_json(stream.readline(), IndexHead)
    return head, _after_head(path)


def _after_head(path: Path) -> Iterator[IndexLine]:
    decoder = json_decoder(IndexLine)
    with path.open("rb") as stream:
        stream.readline()
        for text in stream:
            yield decoder.decode(text)


def _labels(job: Job, names: list[str], where: str) -> Mapping[str, str]:
    if job.parameters["label_folders"]:
        return folder_labels(names, where)
    if "labels" in job.inputs:
        return file_labels(names, read_lines(job.inputs["labels"], where), where)
    return {}
