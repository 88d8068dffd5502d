"""Comparison of a detector's boxes with those that the config expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.expect_tables import ExpectedBox, ExpectedDetections
from pipeline.errors import Code, PipelineError
from pipeline.verify.detections import Box, detections, overlap


def unmet_boxes(
    expect: ExpectedDetections,
    outputs: Mapping[str, Any],
    size: tuple[int, int],
    labels: Sequence[str],
    where: str,
) -> list[PipelineError]:
    """Return an error for each expected box that is not found, and for the first further one.

    ``size`` is height and width of the input image, for boxes in pixels.
    """
    found = detections(outputs, size, expect.score)
    if found is None:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items())
        message = "The outputs are not boxes in a known layout."
        hint = "Known are those of SSD, TensorFlow, TorchVision and YOLO."
        return [PipelineError(Code.VERIFY, message, where=where, found=shapes, hint=hint)]
    left = list(found.boxes)
    missed = []
    for wanted in expect.boxes:
        best = max(left, key=lambda box: _fit(box, wanted), default=None)
        if best is not None and _fit(best, wanted) >= expect.overlap:
            left.remove(best)
        else:
            missed.append(_missed(wanted, best, expect, labels, where))
    if left and not missed:
        missed.append(
            PipelineError(
                Code.VERIFY,
                "The detector finds a box that the config does not expect.",
                where=where,
                expected=f"{len(expect.boxes)} boxes with a score of at least {expect.score:g}",
                found=_shown(left[0], labels),
                hint="Add it to boxes if it is right; or raise score above it.",
            )
        )
    for error in missed[:1]:
        shown = [_shown(box, labels) for box in found.boxes] or ["none"]
        error.detail = "\n".join([f"boxes with a score of at least {expect.score:g}:", *shown])
    return missed


def _fit(box: Box, wanted: ExpectedBox) -> float:
    """Return the overlap of two boxes, less than 0 if their classes differ."""
    fit = overlap(box, _box(wanted))
    return fit if wanted.index is None or wanted.index == box.class_ else fit - 1


def _box(wanted: ExpectedBox) -> Box:
    return Box(*wanted.box, score=1.0, class_=wanted.index)


def _missed(
    wanted: ExpectedBox,
    best: Box | None,
    expect: ExpectedDetections,
    labels: Sequence[str],
    where: str,
) -> PipelineError:
    fit = 0.0 if best is None else overlap(best, _box(wanted))
    found = "no box there"
    if best is not None and fit > 0:
        found = f"{_shown(best, labels)}, which has {fit:.2f}"
    return PipelineError(
        Code.VERIFY,
        "The detector does not find an expected box.",
        where=where,
        expected=f"{_place(_box(wanted), labels)}, with an intersection over union of at least "
        f"{expect.overlap:g}",
        found=found,
        hint="Check colour order, range, fit and the layout; or correct the config.",
    )


def _place(box: Box, labels: Sequence[str]) -> str:
    sides = ", ".join(f"{side:.3f}" for side in (box.left, box.top, box.right, box.bottom))
    if box.class_ is None:
        return f"[{sides}]"
    label = f" {labels[box.class_]}" if box.class_ < len(labels) else ""
    return f"{box.class_}{label} [{sides}]"


def _shown(box: Box, labels: Sequence[str]) -> str:
    return f"{_place(box, labels)}, score {box.score:.3g}"
