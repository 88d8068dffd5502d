"""Make a draft from a model's files and photos: inspect, prompt, check."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.cli.new.draft import Draft, SourceModel, size_of, text_of
from pipeline.cli.new.draft_options import DraftOptions
from pipeline.cli.new.draft_sources import draft_sources, taken_names
from pipeline.cli.new.drafted_cases import draft_cases
from pipeline.cli.new.input_files import FileKind, InputFile, named_files, read_file, shape_of
from pipeline.cli.new.inputs import Input, Overrides, draft_input, owner
from pipeline.cli.new.label_lists import KNOWN
from pipeline.cli.new.local_files import LocalFile, Way, check_regular
from pipeline.cli.new.predictions import clear_classes, source_predictions, warn
from pipeline.cli.new.prompts import Asker, Question, take_defaults
from pipeline.cli.new.shapes import shown
from pipeline.config.model_tables import CARRIED, Framework, Precision
from pipeline.config.rules import fixture_findings
from pipeline.config.schema import Fixture
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.dynamic_range import rounds_activations
from pipeline.model.inspect.introspect import introspect
from pipeline.model.inspect.model_interface import ModelInterface, TensorInfo
from pipeline.model.ir.ir_xml import writable
from pipeline.scratch import scratch_folder
from pipeline.tensor.text_lines import split_lines
from pipeline.verify.expectation import labels_of

# Outputs of i8 are quantised values.
_CARRIED: Mapping[str, str] = {**CARRIED, "i8": "f32"}
_MOST_LABELS = 1 << 20
_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class DraftResult:
    """A draft with its text, the files that it needs in the project, and notes for the user.

    ``of_model`` are the sources that have the licence of the model.
    """

    draft: Draft
    text: str
    local_files: Sequence[LocalFile]
    way: Way
    notes: Sequence[str]
    of_model: Collection[str]


def make_draft(options: DraftOptions, ask: Asker) -> DraftResult:
    """Return a draft whose config is valid; nothing is written.

    Raises PipelineError: MODEL, TENSOR and USAGE for what cannot be read or is missing.
    """
    names = _names(options.labels)
    interface = _interface(options.framework, options.files, options.signature)
    options = _in_its_form(options, interface, ask)
    overrides = _named(options.overrides, interface)
    files = _input_files(options, interface, ask)
    overrides = _with_shapes(overrides, interface, files)
    inputs = _inputs(options, interface, overrides, files, ask)
    notes = _unsized(interface)
    dynamic_range = options.framework == "tflite" and rounds_activations(options.files["model"])
    if dynamic_range:
        notes.append(
            "LiteRT rounds this model's activations to int8, and OpenVINO does not: the golden "
            "check allows for what such rounding moves"
        )
    made = draft_cases(inputs, options.images, files, options.vocabulary, taken_names(options))
    notes += made.notes
    sources = draft_sources(options, made.sources, ask)
    precisions = options.precisions or _own_precision(options.framework, interface)
    draft = Draft(
        description=options.description or f"{options.name}, from {owner(options.framework)}",
        sources=sources.sources,
        framework=options.framework,
        architecture=options.architecture,
        signature=options.signature,
        files=sources.model,
        inputs=inputs,
        outputs=_outputs(interface),
        precisions=precisions,
        quantised=_quantised(interface) or dynamic_range,
        given=made.cases,
        guest=options.guest,
        size=size_of(options.files.values()),
        source_model=_source_model(options, interface, sources.source_model),
        labels="labels" if options.labels else None,
        names=names,
    )
    fixture = _checked(draft, options)
    replies = source_predictions(options, draft, fixture, interface, sources.tensors)
    answers, doubtful = clear_classes(precisions, fixture, replies, bool(made.cases), notes)
    warn(replies, notes)
    if draft.names and (wrong := {each.of for each in answers.values()} - {len(draft.names)}):
        notes.append(f"{len(draft.names)} labels for {wrong.pop()} classes: check --labels")
    classes = {each.of for each in answers.values()}
    known = KNOWN.get(next(iter(classes), 0))
    if len(classes) == 1 and known is not None and draft.labels is None:
        draft = replace(draft, sources={**draft.sources, "labels": known}, labels="labels")
        notes.append(f"{classes.pop()} classes: guessed to be ImageNet's, with its labels")
    boxes = {
        case: reply.boxes
        for case, reply in replies.items()
        if made.cases and reply.boxes is not None
    }
    for precision in {"int8", "int4"} & doubtful.keys():
        doubtful[precision] = [*doubtful[precision], *boxes]
    draft = replace(draft, top_classes=answers, doubtful=doubtful, boxes=boxes)
    _checked(draft, options)
    return DraftResult(
        draft=draft,
        text=text_of(draft),
        local_files=sources.local,
        way=sources.way,
        notes=notes,
        of_model=sources.sources.keys() - made.sources.keys(),
    )


def _interface(
    framework: Framework, files: Mapping[str, Path], signature: str | None = None
) -> ModelInterface:
    with scratch_folder() as folder:
        interface = introspect(framework, files, folder, signature)
    if not interface.inputs:
        raise PipelineError(
            Code.MODEL,
            "The model has no input.",
            where=", ".join(map(str, files.values())),
            expected="a network with at least one input",
        )
    _check_names(interface)
    return interface


def _inputs(
    options: DraftOptions,
    interface: ModelInterface,
    overrides: Overrides,
    files: Mapping[str, Sequence[InputFile]],
    ask: Asker,
) -> list[Input]:
    """Draft the inputs; raises PipelineError (USAGE) for photos of a model without images."""
    found = []
    for each in interface.inputs:
        own = files.get(each.name, ())
        pictures = any(file.kind is FileKind.PICTURE for file in own)
        photos = pictures or (bool(options.images) and not own)
        of_pixels = take_defaults if own and not pictures else ask
        found.append(draft_input(each, options.framework, overrides, photos, ask, of_pixels))
    free = [each for each in found if each.picture and each.name not in files]
    if options.images and not free:
        raise PipelineError(
            Code.USAGE,
            "No input of the model is an image.",
            where=", ".join(f"--image {path}" for path in options.images),
            found=", ".join(f"{each.name} {_dims(each)}" for each in found),
            hint="Omit --image, or give the shape of the image input with --shape.",
        )
    return found


def _input_files(
    options: DraftOptions, interface: ModelInterface, ask: Asker
) -> dict[str, list[InputFile]]:
    """Return the files of the inputs that have some; raises PipelineError (USAGE, TENSOR)."""
    names = [each.name for each in interface.inputs]
    found = named_files(options.inputs, names, options.path_of)
    return {
        name: [read_file(path, name, options.rate, ask) for path in paths]
        for name, paths in found.items()
    }


def _with_shapes(
    overrides: Overrides, interface: ModelInterface, files: Mapping[str, Sequence[InputFile]]
) -> Overrides:
    """Return the overrides, with the shapes that files give dynamic axes."""
    shapes = dict(overrides.shapes)
    for each in interface.inputs:
        if each.name in files and each.name not in shapes:
            shape = shape_of(each, files[each.name][0])
            if shape is not None:
                shapes[each.name] = shape
    return replace(overrides, shapes=shapes)


def _own_precision(framework: Framework, interface: ModelInterface) -> Sequence[Precision]:
    """Return the precision of an existing IR; other models become f32."""
    return ["f16" if framework == "openvino" and interface.half else "f32"]


def _source_model(
    options: DraftOptions, interface: ModelInterface, files: Mapping[str, str]
) -> SourceModel | None:
    """Return an IR's source model with its names for the inputs and outputs of the IR.

    Raises PipelineError (MODEL, USAGE).
    """
    if options.source_framework is None:
        return None
    theirs = _interface(options.source_framework, options.source_files)
    label = theirs.label or next(iter(files))
    return SourceModel(
        framework=options.source_framework,
        files={label: next(iter(files.values()))} if theirs.label else files,
        inputs=_paired("inputs", interface.inputs, theirs.inputs),
        outputs=_paired("outputs", interface.outputs, theirs.outputs),
    )


def _paired(what: str, ours: Sequence[TensorInfo], theirs: Sequence[TensorInfo]) -> dict[str, str]:
    """Return the source model's name of each of the IR's ports, or {} if they are the same."""
    names, others = [each.name for each in ours], [each.name for each in theirs]
    if set(names) <= set(others):
        return {}
    if len(names) == len(others):
        return dict(zip(names, others, strict=True))
    raise PipelineError(
        Code.USAGE,
        f"The {what} of the IR are not those of its source model.",
        where="--source",
        expected=", ".join(names),
        found=", ".join(others),
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
            advice="Look at the code that saved the weights; or export the model as TorchScript "
            "or ONNX, which include the network.",
        )
        return replace(options, architecture=ask(question).text)
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


def _unsized(interface: ModelInterface) -> list[str]:
    """Return a note on each output whose size is not fixed though those of all inputs are.

    Caffe's and others' files do not state the shapes of outputs, which says nothing about them.
    """
    if any(each.shape is None or None in each.shape for each in interface.inputs):
        return []
    return [
        f"output {each.name} has no fixed size ({shown(each.shape)}), and a fixture's "
        "outputs need one: doit ir:NAME says where to cut the model with [model.outputs]"
        for each in interface.outputs
        if each.shape is not None and None in each.shape
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
