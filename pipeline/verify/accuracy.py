"""The step ``accuracy``: the share of a dataset's pictures that was classified right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import convert_value, json_decoder
from pipeline.config.dataset_tables import Accuracy
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.dataset.dataset_index import read_index
from pipeline.verify.score import Score

_SHOWN = 5


class TopShares(msgspec.Struct, frozen=True, kw_only=True):
    """The share of pictures whose class came first, and was among the first five: 0 to 1."""

    top1: float
    top5: float


class NativeAndGuest(msgspec.Struct, frozen=True, kw_only=True):
    """The shares by the native outputs, and by those that the guest wrote."""

    native: TopShares
    guest: TopShares


class AccuracyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The accuracy of a fixture over a dataset; ``skipped`` are bad pictures, which do not count.

    ``wrong`` are the first pictures whose class did not come first.
    """

    dataset: str
    pictures: int
    skipped: int
    accuracy: NativeAndGuest
    required: dict[str, float]
    wrong: list[str]


class _Count:
    def __init__(self) -> None:
        self.top1 = self.top5 = 0

    def add(self, labelled: int, first: list[int]) -> None:
        self.top1 += labelled in first[:1]
        self.top5 += labelled in first[:5]

    def shares(self, pictures: int) -> TopShares:
        return TopShares(top1=self.top1 / pictures, top5=self.top5 / pictures)


def measure_accuracy(job: Job) -> None:
    """Recipe: write the accuracy ``report`` of a dataset.

    Inputs: ``index``, and ``scores.<n>`` of each shard. Parameters: ``where``, ``name`` and
    ``accuracy``, the config's table. Raises PipelineError (VERIFY) where fewer were right than
    declared, or where a class is none that the model has.
    """
    where = str(job.parameters["where"])
    accuracy = convert_value(job.parameters["accuracy"], Accuracy)
    head, pictures = read_index(job.inputs["index"])
    labelled = {line.picture: line.class_number for line in pictures if not line.skipped}
    native, guest = _Count(), _Count()
    wrong: list[str] = []
    for label, path in job.inputs.items():
        for score in _scores(path) if label.startswith("scores.") else ():
            number = labelled[score.picture]
            assert number is not None
            if number >= score.classes:
                raise PipelineError(
                    Code.VERIFY,
                    "A picture is of a class that the model does not have.",
                    where=f"{where}: {score.picture}",
                    expected=f"0 to {score.classes - 1}",
                    found=str(number),
                    hint="Check the labels, the classes and the name of the output.",
                )
            native.add(number, score.native)
            guest.add(number, score.guest)
            if number != score.guest[0]:
                wrong.append(f"{score.picture}: {number}, not {score.guest[0]}")
    found = NativeAndGuest(native=native.shares(len(labelled)), guest=guest.shares(len(labelled)))
    required = {
        key: share
        for key, share in (("top1", accuracy.top1), ("top5", accuracy.top5))
        if share is not None
    }
    _check(found, required, sorted(wrong), where)
    report = AccuracyReport(
        dataset=head.dataset,
        pictures=len(labelled),
        skipped=head.skipped,
        accuracy=found,
        required=required,
        wrong=sorted(wrong)[:_SHOWN],
    )
    job.outputs["report"].write_bytes(msgspec.json.format(msgspec.json.encode(report)))


def _check(found: NativeAndGuest, required: dict[str, float], wrong: list[str], where: str) -> None:
    for key, least in required.items():
        for side in ("native", "guest"):
            share = getattr(getattr(found, side), key)
            if share < least:
                raise PipelineError(
                    Code.VERIFY,
                    f"Fewer pictures were classified right than the config declares: {key}.",
                    where=where,
                    expected=f"at least {least:.2%}",
                    found=f"{share:.2%}, {side}",
                    hint="Check colour order, mean, scale and labels; or correct the config.",
                    detail="\n".join(wrong[:_SHOWN]),
                )


def _scores(path: Path) -> Iterator[Score]:
    decoder = json_decoder(Score)
    with path.open("rb") as stream:
        for line in stream:
            yield decoder.decode(line)
