"""From a model's files and photos to a draft that builds: looked into, asked about, checked."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipeline.config.rules import fixture_findings
from pipeline.config.schema import Fixture, Source
from pipeline.draft.asking import Asker, Question
from pipeline.draft.draft import Draft, Photo, size_of, text_of, unique
from pipeline.draft.files import Held, Way, check_regular, hold
from pipeline.draft.inputs import Input, Wishes, draft_input, owner
from pipeline.draft.labels import KNOWN
from pipeline.draft.licence import licence
from pipeline.draft.order import Order
from pipeline.draft.photo import fit
from pipeline.draft.replies import asked, clear, warn
from pipeline.errors import Code, PipelineError
from pipeline.model.ir_xml import writable
from pipeline.model.outlines.look import look
from pipeline.model.outlines.outline import Outline
from pipeline.verify.expectation import read_labels

# What holds the numbers of types that wasi-nn does not have.
_CARRIED = {"i8": "f32", "boolean": "u8", "i16": "i32", "u16": "i32"}
_MOST_LABELS = 1 << 20
_SHOWN = 100


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
    names = _names(order.labels)
    with tempfile.TemporaryDirectory(prefix="wasi-nn-") as folder:
        outline = look(order.framework, order.files, Path(folder))
    if not outline.inputs:
        raise PipelineError(
            Code.MODEL,
            "The model has no input.",
            where=", ".join(map(str, order.files.values())),
            expected="a network that is fed something",
        )
    _check_names(outline)
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
        names=names,
    )
    fixture = _checked(draft, order)
    replies = asked(order, draft, fixture, outline, shots)
    answers, doubtful = clear(order, fixture, replies, bool(shots), said)
    warn(replies, said)
    if draft.names and (wrong := {each.of for each in answers.values()} - {len(draft.names)}):
        said.append(f"{len(draft.names)} labels for {wrong.pop()} classes: are they this model's?")
    classes = {each.of for each in answers.values()}
    known = KNOWN.get(next(iter(classes), 0))
    if len(classes) == 1 and known is not None and draft.labels is None:
        draft = replace(draft, sources={**draft.sources, "labels": known}, labels="labels")
        said.append(f"{classes.pop()} classes: labelled as ImageNet's, which is a guess")
    draft = replace(draft, answers=answers, doubtful=doubtful)
    _checked(draft, order)
    return Made(draft=draft, text=text_of(draft), held=held, way=way, said=said)


def _check_names(outline: Outline) -> None:
    for what, borders in (("input", outline.inputs), ("output", outline.outputs)):
        for each in borders:
            if not writable(each.name):
                raise PipelineError(
                    Code.MODEL,
                    f"The name of an {what} has characters that an IR cannot hold.",
                    expected="a name without control characters",
                    found=ascii(each.name)[:_SHOWN],
                    hint=f"Rename the {what}, and export the model anew.",
                )


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
    of_model = licence("the model", "--license", order.license, ask)
    of_images = ""
    if shots:
        text = "the photo" if len(shots) == 1 else "the photos"
        of_images = licence(text, "--image-license", order.image_license, ask)
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


def _quantised(outline: Outline) -> bool:
    return outline.quantised or any(each.type in ("i8", "u8") for each in outline.outputs)


def _names(labels: Path | None) -> Sequence[str]:
    """Return the names of the classes; raises PipelineError (USAGE) when the file has none."""
    if labels is None:
        return ()
    check_regular(labels)
    try:
        if labels.stat().st_size > _MOST_LABELS:
            raise PipelineError(
                Code.USAGE,
                "The labels are too many bytes for one class a line.",
                where=f"--labels {labels}",
                expected=f"at most {_MOST_LABELS} bytes",
                found=f"{labels.stat().st_size} bytes",
            )
        names = read_labels(labels.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(
            Code.USAGE,
            "The labels cannot be read.",
            where=f"--labels {labels}",
            expected="a text file in UTF-8, one class a line",
            found=getattr(error, "strerror", None) or "other bytes",
        ) from None
    return names


def _outputs(outline: Outline) -> dict[str, str]:
    """Return a type for each output that wasi-nn cannot carry, with all the others beside them."""
    strange = {each.name: _CARRIED.get(each.type, "") for each in outline.outputs}
    return strange if any(strange.values()) else {}


def _checked(draft: Draft, order: Order) -> Fixture:
    """Return the fixture that the config declares; raises PipelineError (CONFIG) for a fault.

    USAGE for a text from the command line that was not UTF-8.
    """
    text = text_of(draft)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start)
        raise PipelineError(
            Code.USAGE,
            "A text that was given is not UTF-8.",
            where=f"configs/fixtures/{order.name}.toml, as it would be",
            found=text.split("\n")[line],
        ) from None
    try:
        fixture = msgspec.convert(tomllib.loads(text), Fixture)
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


def _dims(given: Input) -> str:
    return "x".join(map(str, given.shape))
