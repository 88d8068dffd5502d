"""Evaluate the source model's outputs: which predictions are clear, and their magnitudes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.cli.new.draft import Draft
from pipeline.cli.new.draft_options import DraftOptions
from pipeline.cli.new.shapes import example, shown
from pipeline.cli.new.source_inference import SourceReply, TopClass, run_source_model
from pipeline.config.model_tables import Precision
from pipeline.config.schema import Fixture
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import ModelInterface
from pipeline.verify.tolerance import tolerance

# The largest value must lead the second by this many times the bound.
_LEAD = 10
# Outputs below this test little.
_NOTHING = 1e-6


def source_predictions(
    options: DraftOptions,
    draft: Draft,
    fixture: Fixture,
    interface: ModelInterface,
    sources: Mapping[str, Path],
) -> Mapping[str, SourceReply]:
    """Run the source model on the cases, whose files are ``sources`` by name.

    Raises PipelineError if that fails.
    """
    outputs = [each.name for each in interface.outputs]
    if options.framework == "kaldi":
        # Kaldi networks have one output, without a name.
        outputs = ["output"]
    files = options.source_files or options.files
    labelled = draft.labels is not None
    try:
        replies = run_source_model(
            fixture,
            outputs,
            files,
            sources,
            labelled=labelled,
            quantised=draft.quantised,
            bf16=any(each.type == "bf16" for each in (*interface.inputs, *interface.outputs)),
        )
    except PipelineError as error:
        if error.code is not Code.VERIFY:
            raise
        guessed = [each for each in draft.inputs if each.why.get("shape", "").startswith("guess")]
        raise PipelineError(
            Code.MODEL,
            f"{fixture.golden.executor} cannot run the model"
            + (" with the guessed shapes." if guessed else "."),
            where=", ".join(
                f"{each.name} {'x'.join(map(str, each.shape))}" for each in guessed or draft.inputs
            ),
            found=error.found,
            hint=_open(interface, draft)
            or "If the shapes are right, give the model in another format in [golden.files].",
            detail=error.detail,
        ) from None
    for case, reply in replies.items():
        if not reply.finite:
            raise PipelineError(
                Code.MODEL,
                f"{fixture.golden.executor} returns NaN or infinity for {case!r}.",
                expected="finite numbers",
                hint="Use another input: --image, --input, --values or --shape.",
            )
    return replies


def _open(interface: ModelInterface, draft: Draft) -> str:
    """Return a hint about the dynamic shapes that were guessed, or ''."""
    settled = {each.name for each in draft.inputs if each.why.get("shape")}
    left = [
        each
        for each in interface.inputs
        if each.name in settled and (each.shape is None or None in each.shape)
    ]
    if not left:
        return ""
    listed = ", ".join(f"{each.name} {shown(each.shape) if each.shape else '?'}" for each in left)
    flags = " ".join(f"--shape {each.name}={example(each.shape)}" for each in left)
    return f"Each ? is dynamic: {listed}. Give full shapes that the model accepts, such as {flags}"


def clear_classes(
    precisions: Sequence[Precision],
    fixture: Fixture,
    replies: Mapping[str, SourceReply],
    files: bool,
    notes: list[str],
) -> tuple[dict[str, TopClass], dict[str, list[str]]]:
    """Return the clear prediction of each case, if they have files.

    Also, for each further precision, the cases whose class it may change.
    """
    top_classes = {
        case: reply.top_class
        for case, reply in replies.items()
        if files and reply.top_class is not None
    }
    clear = {}
    for case, top_class in top_classes.items():
        if _is_close(top_class, fixture, precisions[0]):
            notes.append(f"{case}: the two largest outputs are too close to expect a class")
        else:
            clear[case] = top_class
    doubtful = {
        str(precision): [
            case for case, top_class in clear.items() if _is_close(top_class, fixture, precision)
        ]
        for precision in precisions[1:]
    }
    return clear, doubtful


def _is_close(top_class: TopClass, fixture: Fixture, precision: Precision) -> bool:
    """Return whether a precision may swap the two largest classes."""
    allowed = tolerance(fixture.golden, precision)
    size = abs(top_class.value)
    bound = max(top_class.bound, (allowed.share + allowed.relative) * size)
    return top_class.lead <= min(_LEAD * bound, size / 4)


def warn(replies: Mapping[str, SourceReply], notes: list[str]) -> None:
    """Note outputs that are nearly zero."""
    for case, reply in replies.items():
        if reply.least < _NOTHING:
            notes.append(f"{case}: an output is nearly zero; another input would test more")
