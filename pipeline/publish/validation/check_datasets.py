"""Check the datasets beside a fixture: an index, its shards, and an accuracy; nothing else."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import decode_json
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import printable
from pipeline.publish.release.release import DATASETS
from pipeline.publish.validation.check_evidence import executable
from pipeline.publish.validation.finding import Finding
from pipeline.tensor.dataset.dataset_index import IndexHead, IndexLine, read_index
from pipeline.verify.accuracy import AccuracyReport

_INDEX, _ACCURACY = "index.ndjson", "accuracy.json"
_SHARD = re.compile(r"[0-9]{4}\.tensors")
_MOST_ACCURACY = 1 << 20
_PIECE = 1 << 20


def datasets(folder: Path, name: str) -> Iterator[Finding]:
    """Yield files that no dataset of the fixture ``name`` has, or that differ from its index.

    No lock or key covers datasets; the index has the digest of each tensor.
    """
    top = folder / DATASETS
    if not top.is_dir():
        return
    paths = [path for path in sorted(top.rglob("*")) if not path.is_dir()]
    yield from executable(folder, [path.relative_to(folder).as_posix() for path in paths])
    for path in paths:
        parts = path.relative_to(top).parts
        known = len(parts) == 2 and (parts[1] in (_INDEX, _ACCURACY) or _SHARD.fullmatch(parts[1]))
        if not known:
            yield Finding(
                kind="undeclared",
                message="This is no file of a dataset.",
                file=path.relative_to(folder).as_posix(),
                expected=f"{_INDEX}, {_ACCURACY} and 0000.tensors… in a folder for each dataset",
                hint="Remove it.",
            )
    for dataset in sorted({path.parent for path in paths if path.parent.parent == top}):
        yield from _dataset(dataset, f"{name}.{dataset.name}")


def _dataset(dataset: Path, name: str) -> Iterator[Finding]:
    shards = {path.name for path in dataset.iterdir() if _SHARD.fullmatch(path.name)}
    try:
        head, lines = read_index(dataset / _INDEX)
        if head.dataset != name:
            raise msgspec.ValidationError(f"the index of {head.dataset}")
        for shard in sorted(shards ^ set(head.shards)):
            yield _fault(dataset / shard, "The shard is missing, or not in the dataset's index.")
        if shards == set(head.shards):
            yield from _shards(dataset, head, lines)
    except (OSError, msgspec.MsgspecError, ValueError, LookupError, OverflowError) as error:
        yield _fault(dataset / _INDEX, "Invalid index of a dataset.", str(error))
    report = dataset / _ACCURACY
    try:
        with report.open("rb") as stream:
            found = decode_json(stream.read(_MOST_ACCURACY), AccuracyReport)
        if found.dataset != name:
            raise msgspec.ValidationError(f"the accuracy of {found.dataset}")
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError) as error:
        yield _fault(report, "Invalid report of an accuracy.", str(error))


def _shards(dataset: Path, head: IndexHead, lines: Iterator[IndexLine]) -> Iterator[Finding]:
    """Yield shards with other bytes than the index states, all of which it must state."""
    size = math.prod(head.dims) * ELEMENT_TYPES[head.type].size
    stated: list[dict[int, str]] = [{} for _ in head.shards]
    for line in lines:
        if not line.skipped:
            stated[line.shard or 0][line.offset or 0] = line.sha256
    for shard, digests in zip(head.shards, stated, strict=True):
        path = dataset / shard
        expected = len(digests) * size
        if path.stat().st_size != expected or sorted(digests) != list(range(0, expected, size)):
            found = f"{path.stat().st_size} bytes, {expected} by the index"
            yield _fault(path, "The shard has another size than its index states.", found)
            continue
        with path.open("rb") as stream:
            for offset in sorted(digests):
                digest, left = hashlib.sha256(), size
                while left and (piece := stream.read(min(left, _PIECE))):
                    digest.update(piece)
                    left -= len(piece)
                if digest.hexdigest() != digests[offset]:
                    found = f"sha256 {digest.hexdigest()} at offset {offset}"
                    yield _fault(path, "A tensor is not the one of the dataset's index.", found)
                    break


def _fault(path: Path, message: str, found: str = "") -> Finding:
    file = "/".join(path.parts[-3:])
    return Finding(kind="dataset", message=message, file=file, found=printable(found[:200]))
