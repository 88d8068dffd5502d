"""The source model's replies to a draft's cases: which class is clear, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config.model_tables import Precision
from pipeline.config.schema import Fixture
from pipeline.draft.answer import Answer, Reply, ask_source
from pipeline.draft.draft import Draft, Photo
from pipeline.draft.order import Order
from pipeline.draft.shapes import example, shown
from pipeline.errors import Code, PipelineError
from pipeline.model.outlines.outline import Outline
from pipeline.verify.tolerance import tolerance

# The largest must be this many times its bound ahead of the second.
_LEAD = 10
# Outputs below this say little.
_NOTHING = 1e-6


def asked(
    order: Order,
    draft: Draft,
    fixture: Fixture,
    outline: Outline,
    shots: Sequence[tuple[Photo, Path]],
) -> Mapping[str, Reply]:
    """Return what the source model answers; raises PipelineError where it cannot."""
    outputs = [each.name for each in outline.outputs]
    if order.framework == "kaldi":
        # Its networks have one output, which has no name.
        outputs = ["output"]
    sources = {shot.source: path for shot, path in shots}
    labelled = draft.labels is not None
    try:
        replies = ask_source(
            fixture, outputs, order.files, sources, labelled=labelled, quantised=draft.quantised
        )
    except PipelineError as error:
        if error.code is not Code.VERIFY:
            raise
        guessed = [each for each in draft.inputs if each.why.get("shape", "").startswith("guess")]
        raise PipelineError(
            Code.MODEL,
            f"{fixture.golden.executor} cannot run the model"
            + (" with the shapes that were guessed." if guessed else "."),
            where=", ".join(
                f"{each.name} {'x'.join(map(str, each.shape))}" for each in guessed or draft.inputs
            ),
            hint=_open(outline, draft)
            or "If its shapes are right, a twin in another format can tell: [golden.files].",
            detail=error.detail,
        ) from None
    for case, reply in replies.items():
        if not reply.finite:
            raise PipelineError(
                Code.MODEL,
                f"{fixture.golden.executor} answers to {case!r} with NaN or infinity.",
                expected="numbers that can be compared",
                hint="Feed the model something else: --image, --values or --shape.",
            )
    return replies


def _open(outline: Outline, draft: Draft) -> str:
    """Return which shapes the model leaves open, but for those that were given, and how to."""
    settled = {each.name for each in draft.inputs if each.why.get("shape")}
    left = [
        each
        for each in outline.inputs
        if each.name in settled and (each.shape is None or None in each.shape)
    ]
    if not left:
        return ""
    told = ", ".join(f"{each.name} {shown(each.shape) if each.shape else '?'}" for each in left)
    flags = " ".join(f"--shape {each.name}={example(each.shape)}" for each in left)
    return f"Each ? is open: {told}. Give whole shapes that the model can take, such as {flags}"


def clear(
    order: Order,
    fixture: Fixture,
    replies: Mapping[str, Reply],
    photos: bool,
    said: list[str],
) -> tuple[dict[str, Answer], dict[str, list[str]]]:
    """Return the class that the source model tells of each photo, where that is clear.

    Then, for each further precision, the cases whose class it may change.
    """
    answers = {
        case: reply.answer for case, reply in replies.items() if photos and reply.answer is not None
    }
    clear = {}
    for case, answer in answers.items():
        if _near(answer, fixture, order.precisions[0]):
            said.append(f"{case}: the two largest outputs are too near to expect one of them")
        else:
            clear[case] = answer
    doubtful = {
        str(precision): [
            case for case, answer in clear.items() if _near(answer, fixture, precision)
        ]
        for precision in order.precisions[1:]
    }
    return clear, doubtful


def _near(answer: Answer, fixture: Fixture, precision: Precision) -> bool:
    """Return whether a precision may put the second class first."""
    allowed = tolerance(fixture.golden, precision)
    size = abs(answer.value)
    bound = max(answer.bound, (allowed.share + allowed.relative) * size)
    return answer.lead <= min(_LEAD * bound, size / 4)


def warn(replies: Mapping[str, Reply], said: list[str]) -> None:
    """Say where the outputs are too small to tell anything."""
    for case, reply in replies.items():
        if reply.least < _NOTHING:
            said.append(f"{case}: an output is all but zero; another input would tell more")
