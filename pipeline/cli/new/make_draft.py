"""Make a draft from a model's files and photos: inspect, prompt, check."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.cli.new.draft import Draft, Photo, size_of, text_of, unique
from pipeline.cli.new.draft_options import DraftOptions
from pipeline.cli.new.inputs import Input, Overrides, draft_input, owner
from pipeline.cli.new.label_lists import KNOWN
from pipeline.cli.new.licence import licence
from pipeline.cli.new.local_files import LocalFile, Way, check_regular, to_local_files
from pipeline.cli.new.photo import fit
from pipeline.cli.new.predictions import clear_classes, source_predictions, warn
from pipeline.cli.new.prompts import Asker, Question
from pipeline.cli.new.shapes import shown
from pipeline.config.rules import fixture_findings
from pipeline.config.schema import Fixture, Source
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.dynamic_range import rounds_activations
from pipeline.model.inspect.introspect import introspect
from pipeline.model.inspect.model_interface import ModelInterface
from pipeline.model.ir.ir_xml import writable
from pipeline.scratch import scratch_folder
from pipeline.tensor.text_lines import split_lines
from pipeline.verify.expectation import labels_of

# wasi-nn types that hold the values of types that it lacks.
_CARRIED = {"i8": "f32", "boolean": "u8", "i16": "i32", "u16": "i32", "u32": "i64", "u64": "i64"}
_MOST_LABELS = 1 << 20
_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class DraftResult:
    """A draft with its text, the files that it needs in the project, and notes for the user."""

    draft: Draft
    text: str
    local_files: Sequence[LocalFile]
    way: Way
    notes: Sequence[str]


def make_draft(options: DraftOptions, ask: Asker) -> DraftResult:
    """Return a draft whose config is valid; nothing is written.

    Raises PipelineError: MODEL, TENSOR and USAGE for what cannot be read or is missing.
    """
    names = _names(options.labels)
    with scratch_folder() as folder:
        interface = introspect(options.framework, options.files, folder, options.signature)
    if not interface.inputs:
        raise PipelineError(
            Code.MODEL,
            "The model has no input.",
            where=", ".join(map(str, options.files.values())),
            expected="a network with at least one input",
        )
    _check_names(interface)
    options = _in_its_form(options, interface, ask)
    overrides = _named(options.overrides, interface)
    photos = bool(options.images)
    inputs = [
        draft_input(each, options.framework, overrides, photos, ask) for each in interface.inputs
    ]
    if photos and not any(each.picture for each in inputs):
        raise PipelineError(
            Code.USAGE,
            "No input of the model is an image.",
            where=", ".join(f"--image {path}" for path in options.images),
            found=", ".join(f"{each.name} {_dims(each)}" for each in inputs),
            hint="Omit --image, or give the shape of the image input with --shape.",
        )
    notes = _unsized(interface)
    dynamic_range = options.framework == "tflite" and rounds_activations(options.files["model"])
    if dynamic_range:
        notes.append(
            "LiteRT rounds this model's activations to int8, and OpenVINO does not: the golden "
            "check allows for what such rounding moves"
        )
    photo_paths = _photos(options, inputs, notes)
    local_files, sources, files, way = _sources(options, photo_paths, ask)
    draft = Draft(
        description=options.description or f"{options.name}, from {owner(options.framework)}",
        sources=sources,
        framework=options.framework,
        architecture=options.architecture,
        signature=options.signature,
        files=files,
        inputs=inputs,
        outputs=_outputs(interface),
        precisions=options.precisions,
        quantised=_quantised(interface) or dynamic_range,
        photos=[shot for shot, _ in photo_paths],
        guest=options.guest,
        size=size_of(options.files.values()),
        labels="labels" if options.labels else None,
        names=names,
    )
    fixture = _checked(draft, options)
    replies = source_predictions(options, draft, fixture, interface, photo_paths)
    answers, doubtful = clear_classes(options, fixture, replies, bool(photo_paths), notes)
    warn(replies, notes)
    if draft.names and (wrong := {each.of for each in answers.values()} - {len(draft.names)}):
        notes.append(f"{len(draft.names)} labels for {wrong.pop()} classes: check --labels")
    classes = {each.of for each in answers.values()}
    known = KNOWN.get(next(iter(classes), 0))
    if len(classes) == 1 and known is not None and draft.labels is None:
        draft = replace(draft, sources={**draft.sources, "labels": known}, labels="labels")
        notes.append(f"{classes.pop()} classes: guessed to be ImageNet's, with its labels")
    draft = replace(draft, top_classes=answers, doubtful=doubtful)
    _checked(draft, options)
    return DraftResult(
        draft=draft, text=text_of(draft), local_files=local_files, way=way, notes=notes
    )


def _check_names(interface: ModelInterface) -> None:
    for what, borders in (("input", interface.inputs), ("output", interface.outputs)):
        for each in borders:
            if not writable(each.name):
                raise PipelineError(
                    Code.MODEL,
                    f"The name of an {what} has characters that an IR cannot represent.",
                    expected="a name without control characters",
                    found=ascii(each.name)[:_SHOWN],
                    hint=f"Rename the {what} and export the model again.",
                )


def _in_its_form(options: DraftOptions, interface: ModelInterface, ask: Asker) -> DraftOptions:
    """Return the order with the framework's label for the kind of file given."""
    if not interface.label:
        return options
    [path] = options.files.values()
    options = replace(options, files={interface.label: path})
    if interface.label == "weights" and options.architecture is None:
        question = Question(
            text=f"{path.name} holds only weights. Module of the weights",
            flag="--architecture mobilenet_v2, or package.module:callable",
        )
        return replace(options, architecture=ask(question))
    if interface.label != "weights" and options.architecture is not None:
        raise PipelineError(
            Code.USAGE,
            "The model file includes its architecture.",
            where=f"--architecture {options.architecture}",
            hint="Omit --architecture.",
        )
    return options


def _named(overrides: Overrides, interface: ModelInterface) -> Overrides:
    """Return the wishes with shapes by input name; the only input needs no name."""
    names = [each.name for each in interface.inputs]
    shapes = dict(overrides.shapes)
    if "" in shapes and len(names) == 1:
        shapes = {names[0]: shapes[""]}
    for name in shapes:
        if name not in names:
            raise PipelineError(
                Code.USAGE,
                f"The model has no input {name!r}."
                if name
                else "The shape does not name its input.",
                where=f"--shape {name}={'x'.join(map(str, shapes[name]))}",
                expected=", ".join(names),
            )
    return replace(overrides, shapes=shapes)


def _photos(
    options: DraftOptions, inputs: Sequence[Input], notes: list[str]
) -> list[tuple[Photo, Path]]:
    found: list[tuple[Photo, Path]] = []
    taken = {*map(_source_name, options.files), "labels"}
    for path in options.images:
        fits = {each.name: fit(path, each) for each in inputs if each.picture}
        notes += dict.fromkeys(line for each in fits.values() for line in each.notes)
        name = unique(path.stem, taken)
        taken.add(name)
        found.append((Photo(case=name, source=name, fits=fits), path))
    return found


def _source_name(label: str) -> str:
    """Return the name of the source of a model's file.

    >>> _source_name("variables/variables.data-00000-of-00001")
    'variables-data-00000-of-00001'
    """
    return unique(label.removeprefix("variables/").replace(".", "-").removesuffix("-pb"), ())


def _sources(
    options: DraftOptions, photo_paths: Sequence[tuple[Photo, Path]], ask: Asker
) -> tuple[list[LocalFile], dict[str, Source], dict[str, str], Way]:
    """Return the files in the project, their sources, and the sources of the model by label."""
    names: dict[str, str] = {}
    for label in options.files:
        names[label] = unique(_source_name(label), set(names.values()))
    single = len(options.files) == 1 or set(options.files) <= {
        "weights",
        "topology",
        "symbol",
        "params",
    }
    given: dict[str, tuple[Path, str]] = {}
    for label, path in options.files.items():
        # Files that refer to each other by path keep their paths.
        keeps = not single and "/" in label
        given[names[label]] = (path, label if keeps else path.name)
    given |= {shot.source: (path, path.name) for shot, path in photo_paths}
    if options.labels is not None:
        given["labels"] = (options.labels, options.labels.name)
    _check_distinct_files(given)
    local_files, way = to_local_files(options.root, options.name, given, options.way, ask)
    of_model = licence("the model", "--license", options.license, ask)
    of_images = ""
    if photo_paths:
        text = "the photo" if len(photo_paths) == 1 else "the photos"
        of_images = licence(text, "--image-license", options.image_license, ask)
    pictures = {shot.source for shot, _ in photo_paths}
    sources = {
        name: Source(
            urls=(f"file:{each.path}",),
            sha256=each.digest.sha256,
            size=each.digest.size,
            license=of_images if name in pictures else of_model,
        )
        for name, each in local_files.items()
    }
    return list(local_files.values()), sources, names, way


def _check_distinct_files(given: Mapping[str, tuple[Path, str]]) -> None:
    taken: dict[str, Path] = {}
    for path, beside in given.values():
        if taken.setdefault(beside.casefold(), path) != path:
            raise PipelineError(
                Code.USAGE,
                "Two files have the same name.",
                where=f"{taken[beside.casefold()]}, {path}",
                hint="Rename one: both go into one folder.",
            )


def _unsized(interface: ModelInterface) -> list[str]:
    """Return a note on each output whose size is not fixed though those of all inputs are."""
    if any(each.shape is None or None in each.shape for each in interface.inputs):
        return []
    return [
        f"output {each.name} has no fixed size ({shown(each.shape or (None,))}), and a fixture's "
        "outputs need one: doit ir:NAME says where to cut the model with [model.outputs]"
        for each in interface.outputs
        if each.shape is None or None in each.shape
    ]


def _quantised(interface: ModelInterface) -> bool:
    return interface.quantised or any(each.type in ("i8", "u8") for each in interface.outputs)


def _names(labels: Path | None) -> Sequence[str]:
    """Return the class names; raises PipelineError (USAGE) if the file has none."""
    if labels is None:
        return ()
    check_regular(labels)
    try:
        if labels.stat().st_size > _MOST_LABELS:
            raise PipelineError(
                Code.USAGE,
                "The labels file is too large.",
                where=f"--labels {labels}",
                expected=f"at most {_MOST_LABELS} bytes",
                found=f"{labels.stat().st_size} bytes",
            )
        names = labels_of(split_lines(labels.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(
            Code.USAGE,
            "Cannot read the labels.",
            where=f"--labels {labels}",
            expected="a text file in UTF-8, one class per line",
            found=getattr(error, "strerror", None) or "not UTF-8",
        ) from None
    return names


def _outputs(interface: ModelInterface) -> dict[str, str]:
    """Return all outputs, each with its substitute type if wasi-nn lacks its own, or {} if none."""
    strange = {each.name: _CARRIED.get(each.type, "") for each in interface.outputs}
    return strange if any(strange.values()) else {}


def _checked(draft: Draft, options: DraftOptions) -> Fixture:
    """Return the fixture that the config declares; raises PipelineError (CONFIG) if it is invalid.

    USAGE if a text from the command line is not UTF-8.
    """
    text = text_of(draft)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start)
        raise PipelineError(
            Code.USAGE,
            "An option's text is not UTF-8.",
            where=f"configs/fixtures/{options.name}.toml (not written)",
            found=text.split("\n")[line],
        ) from None
    try:
        fixture = convert_value(tomllib.loads(text), Fixture)
    except msgspec.ValidationError as error:
        raise PipelineError(
            Code.CONFIG,
            "The options do not make a valid config.",
            where=f"configs/fixtures/{options.name}.toml",
            found=str(error),
        ) from None
    for finding in fixture_findings(fixture, options.guests):
        raise PipelineError(
            Code.CONFIG,
            finding.message,
            where=f"configs/fixtures/{options.name}.toml, {'.'.join(finding.path)}",
            expected=finding.expected,
            found=finding.found,
            hint=finding.hint,
        )
    return fixture


def _dims(given: Input) -> str:
    return "x".join(map(str, given.shape))
