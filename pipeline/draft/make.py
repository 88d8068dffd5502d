"""From a model's files and photos to a draft that builds: looked into, asked about, checked."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipeline.config.model_tables import Framework, Precision
from pipeline.config.rules import fixture_findings
from pipeline.config.schema import Fixture, Source
from pipeline.draft.answer import Answer, Reply, ask_source
from pipeline.draft.asking import Asker, Question
from pipeline.draft.draft import NOTHING, UNKNOWN_LICENCE, Draft, Photo, size_of, text_of, unique
from pipeline.draft.files import Held, Way, hold
from pipeline.draft.inputs import Input, Wishes, draft_input, owner
from pipeline.draft.labels import KNOWN
from pipeline.draft.photo import fit
from pipeline.errors import Code, PipelineError
from pipeline.model.outlines.look import look
from pipeline.model.outlines.outline import Outline
from pipeline.verify.tolerance import tolerance

# What holds the numbers of types that wasi-nn does not have.
_CARRIED = {"i8": "f32", "boolean": "u8", "i16": "i32", "u16": "i32"}
# The largest must be this many times the tolerance ahead of the second.
_LEAD = 10


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line says.

    ``files`` are the model's under its framework's names. A licence or description of None is
    asked for. ``guests`` are the names of the project's guests.
    """

    root: Path
    name: str
    framework: Framework
    files: Mapping[str, Path]
    images: Sequence[Path]
    labels: Path | None
    wishes: Wishes
    precisions: Sequence[Precision]
    architecture: str | None
    description: str | None
    license: str | None
    image_license: str | None
    way: Way | None
    guest: str
    guests: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A draft with its text, the files it needs in the project, and what is worth saying."""

    draft: Draft
    text: str
    held: Sequence[Held]
    way: Way
    said: Sequence[str]


def make_draft(order: Order, ask: Asker) -> Made:
    """Return a draft whose config has no fault; nothing is written.

    Raises PipelineError: MODEL, TENSOR and USAGE for what cannot be read or is not told.
    """
    with tempfile.TemporaryDirectory(prefix="wasi-nn-") as folder:
        outline = look(order.framework, order.files, Path(folder))
    if not outline.inputs:
        raise PipelineError(
            Code.MODEL,
            "The model has no input.",
            where=", ".join(map(str, order.files.values())),
            expected="a network that is fed something",
        )
    order = _in_its_form(order, outline, ask)
    wishes = _named(order.wishes, outline)
    photos = bool(order.images)
    inputs = [draft_input(each, order.framework, wishes, photos, ask) for each in outline.inputs]
    if photos and not any(each.picture for each in inputs):
        raise PipelineError(
            Code.USAGE,
            "No input of the model takes a picture.",
            where=", ".join(f"--image {path}" for path in order.images),
            found=", ".join(f"{each.name} {_dims(each)}" for each in inputs),
            hint="Leave --image out, or give the shape of the picture's input with --shape.",
        )
    said: list[str] = []
    shots = _photos(order, inputs, said)
    held, sources, files, way = _sources(order, shots, ask)
    draft = Draft(
        description=order.description or f"{order.name}, from {owner(order.framework)}",
        sources=sources,
        framework=order.framework,
        architecture=order.architecture,
        files=files,
        inputs=inputs,
        outputs=_outputs(outline),
        precisions=order.precisions,
        quantised=_quantised(outline),
        photos=[shot for shot, _ in shots],
        guest=order.guest,
        size=size_of(order.files.values()),
        labels="labels" if order.labels else None,
    )
    fixture = _checked(draft, order)
    replies = _asked(order, draft, fixture, outline, shots)
    answers, doubtful = _clear(order, fixture, replies, bool(shots), said)
    largest, least = _scale(replies, said)
    draft = replace(draft, largest=largest, least=least)
    classes = {each.of for each in answers.values()}
    known = KNOWN.get(next(iter(classes), 0))
    if len(classes) == 1 and known is not None and draft.labels is None:
        draft = replace(draft, sources={**draft.sources, "labels": known}, labels="labels")
        said.append(f"{classes.pop()} classes: labelled as ImageNet's, which is a guess")
    draft = replace(draft, answers=answers, doubtful=doubtful)
    _checked(draft, order)
    return Made(draft=draft, text=text_of(draft), held=held, way=way, said=said)


def _in_its_form(order: Order, outline: Outline, ask: Asker) -> Order:
    """Return the order with what the framework calls the form of the file that is there."""
    if not outline.label:
        return order
    [path] = order.files.values()
    order = replace(order, files={outline.label: path})
    if outline.label == "weights" and order.architecture is None:
        question = Question(
            text=f"{path.name} holds weights alone. The module that they belong to",
            flag="--architecture mobilenet_v2, or package.module:callable",
        )
        return replace(order, architecture=ask(question))
    if outline.label != "weights" and order.architecture is not None:
        raise PipelineError(
            Code.USAGE,
            "The model brings its own architecture.",
            where=f"--architecture {order.architecture}",
            hint="Leave the flag out.",
        )
    return order


def _named(wishes: Wishes, outline: Outline) -> Wishes:
    """Return the wishes with the shapes under the names of the inputs: an only one needs none."""
    names = [each.name for each in outline.inputs]
    shapes = dict(wishes.shapes)
    if "" in shapes and len(names) == 1:
        shapes = {names[0]: shapes[""]}
    for name in shapes:
        if name not in names:
            raise PipelineError(
                Code.USAGE,
                f"The model has no input {name!r}." if name else "The shape names no input.",
                where=f"--shape {name}={'x'.join(map(str, shapes[name]))}",
                expected=", ".join(names),
            )
    return replace(wishes, shapes=shapes)


def _photos(order: Order, inputs: Sequence[Input], said: list[str]) -> list[tuple[Photo, Path]]:
    found: list[tuple[Photo, Path]] = []
    taken = {*map(_source_name, order.files), "labels"}
    for path in order.images:
        fits = {each.name: fit(path, each) for each in inputs if each.picture}
        said += dict.fromkeys(line for each in fits.values() for line in each.said)
        name = unique(path.stem, taken)
        taken.add(name)
        found.append((Photo(case=name, source=name, fits=fits), path))
    return found


def _source_name(label: str) -> str:
    """Return what the source of a model's file is called.

    >>> _source_name("variables/variables.data-00000-of-00001")
    'variables-data-00000-of-00001'
    """
    return unique(label.removeprefix("variables/").replace(".", "-").removesuffix("-pb"), ())


def _sources(
    order: Order, shots: Sequence[tuple[Photo, Path]], ask: Asker
) -> tuple[list[Held], dict[str, Source], dict[str, str], Way]:
    """Return the files in the project, the sources that they become, and the model's by label."""
    names: dict[str, str] = {}
    for label in order.files:
        names[label] = unique(_source_name(label), set(names.values()))
    single = len(order.files) == 1 or set(order.files) <= {
        "weights",
        "topology",
        "symbol",
        "params",
    }
    given: dict[str, tuple[Path, str]] = {}
    for label, path in order.files.items():
        # Files that find each other by their paths keep these.
        keeps = not single and "/" in label
        given[names[label]] = (path, label if keeps else path.name)
    given |= {shot.source: (path, path.name) for shot, path in shots}
    if order.labels is not None:
        given["labels"] = (order.labels, order.labels.name)
    _check_apart(given)
    held, way = hold(order.root, order.name, given, order.way, ask)
    of_model = order.license or _licence("the model", "--license", ask)
    of_images = ""
    if shots:
        text = "the photo" if len(shots) == 1 else "the photos"
        of_images = order.image_license or _licence(text, "--image-license", ask)
    pictures = {shot.source for shot, _ in shots}
    sources = {
        name: Source(
            urls=(f"file:{each.path}",),
            sha256=each.digest.sha256,
            size=each.digest.size,
            license=of_images if name in pictures else of_model,
        )
        for name, each in held.items()
    }
    return list(held.values()), sources, names, way


def _check_apart(given: Mapping[str, tuple[Path, str]]) -> None:
    taken: dict[str, Path] = {}
    for path, beside in given.values():
        if taken.setdefault(beside.casefold(), path) != path:
            raise PipelineError(
                Code.USAGE,
                "Two of the files have the same name.",
                where=f"{taken[beside.casefold()]}, {path}",
                hint="Rename one: they would lie in one folder.",
            )


def _licence(what: str, flag: str, ask: Asker) -> str:
    return ask(
        Question(
            text=f"The licence of {what}, as an SPDX identifier such as MIT",
            flag=flag,
            default=UNKNOWN_LICENCE,
        )
    )


def _quantised(outline: Outline) -> str:
    if any(each.type in ("i8", "u8") for each in outline.outputs):
        return "border"
    return "inside" if outline.quantised else ""


def _outputs(outline: Outline) -> dict[str, str]:
    """Return a type for each output that wasi-nn cannot carry, with all the others beside them."""
    strange = {each.name: _CARRIED.get(each.type, "") for each in outline.outputs}
    return strange if any(strange.values()) else {}


def _checked(draft: Draft, order: Order) -> Fixture:
    """Return the fixture that the config declares; raises PipelineError (CONFIG) for a fault."""
    try:
        fixture = msgspec.convert(tomllib.loads(text_of(draft)), Fixture)
    except msgspec.ValidationError as error:
        raise PipelineError(
            Code.CONFIG,
            "What was given does not make a config.",
            where=f"configs/fixtures/{order.name}.toml",
            found=str(error),
        ) from None
    for finding in fixture_findings(fixture, order.guests):
        raise PipelineError(
            Code.CONFIG,
            finding.message,
            where=f"configs/fixtures/{order.name}.toml, {'.'.join(finding.path)}",
            expected=finding.expected,
            found=finding.found,
            hint=finding.hint,
        )
    return fixture


def _asked(
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
        replies = ask_source(fixture, outputs, order.files, sources, labelled)
    except PipelineError as error:
        if error.code is not Code.VERIFY:
            raise
        guessed = [each for each in draft.inputs if each.why.get("shape", "").startswith("guess")]
        raise PipelineError(
            Code.MODEL,
            f"{fixture.golden.executor} cannot run the model"
            + (" with the shapes that were guessed." if guessed else "."),
            where=", ".join(f"{each.name} {_dims(each)}" for each in guessed or draft.inputs),
            hint="Give the right ones with --shape."
            if guessed
            else "Nothing could confirm its IR. A twin in another format can: [golden.files].",
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


def _clear(
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
    return answer.lead <= min(_LEAD * (allowed.absolute + allowed.relative * size), size / 4)


def _scale(replies: Mapping[str, Reply], said: list[str]) -> tuple[float, float]:
    """Return how large the outputs are, and tell where they are too small to say anything."""
    for case, reply in replies.items():
        if reply.least < NOTHING:
            said.append(f"{case}: an output is all but zero; another input would tell more")
    found = replies.values()
    return (
        max((reply.largest for reply in found), default=1.0),
        min((reply.least for reply in found), default=1.0),
    )


def _dims(given: Input) -> str:
    return "x".join(map(str, given.shape))
