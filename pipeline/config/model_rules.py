"""The model: its files and inputs, and the executor that its IR is compared with."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

from pipeline.config.addresses import path_fault
from pipeline.config.finding import Finding, Known
from pipeline.config.model_tables import Model, ModelInput
from pipeline.config.schema import Fixture
from pipeline.config.wording import Path, closest, compared, did_you_mean, listing, quoted

_OWNERS = {"caffe": "Caffe", "onnx": "ONNX", "tensorflow": "TensorFlow"}
_FILES = {"caffe": ("topology", "weights"), "onnx": ("model",)}
_READS = {"opencv": "caffe", "onnxruntime": "onnx"}
# A guest's memory has 32-bit addresses, and an element has up to 4 bytes in the common types.
_MOST_ELEMENTS = 2**30


def check_model(model: Model, knows: Known) -> Iterator[Finding]:
    """Yield what is wrong with the model's files and inputs."""
    yield from _model_files(model, knows)
    for name, given in model.inputs.items():
        yield from _model_input(("model", "inputs", name), given, knows)


def check_golden(fixture: Fixture, knows: Known) -> Iterator[Finding]:
    """Yield why the golden executor cannot run the model or its twin."""
    golden, framework = fixture.golden, fixture.model.framework
    if golden.files:
        if knows("golden", "executor") and knows("golden", "files"):
            files = _FILES[_READS[golden.executor]]
            yield from _exactly(("golden", "files"), golden.executor, golden.files, files)
        if knows("model", "inputs"):
            for name in golden.inputs:
                if name not in fixture.model.inputs:
                    meant = closest(name, fixture.model.inputs)
                    yield Finding(
                        ("golden", "inputs", name),
                        f"The model has no input {quoted(name)}" + did_you_mean(meant),
                        f"one of {listing(fixture.model.inputs)}",
                        quoted(name),
                    )
    elif knows("golden", "files"):
        for key in ("inputs", "outputs"):
            if getattr(golden, key):
                message = f"The key '{key}' renames for a twin, and golden.files names none."
                yield Finding(("golden", key), message, hint="Remove it, or name the twin's files.")
        known = knows("golden", "executor") and knows("model", "framework")
        if known and _READS[golden.executor] != framework:
            reads = _OWNERS[_READS[golden.executor]]
            yield Finding(
                ("golden", "executor"),
                f"{golden.executor} does not read {_OWNERS[framework]}.",
                next((name for name, read in _READS.items() if read == framework), "golden.files"),
                golden.executor,
                f"Give the files of a twin in {reads} as golden.files, or change the executor.",
            )
    for key, names in (("inputs", golden.inputs), ("outputs", golden.outputs)):
        yield from _renamed_apart(("golden", key), names)


def _renamed_apart(path: Path, names: Mapping[str, str]) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for ours, theirs in names.items():
        if theirs in taken:
            message = "Two names of the IR cannot have one name in the twin."
            yield Finding(
                (*path, ours), message, found=f"{listing((taken[theirs], ours))}: {quoted(theirs)}"
            )
        taken[theirs] = ours


def _model_files(model: Model, knows: Known) -> Iterator[Finding]:
    path = ("model", "files")
    if not knows("model", "framework") or not knows(*path):
        return
    owner = _OWNERS[model.framework]
    if model.framework != "tensorflow":
        yield from _exactly(path, owner, model.files, _FILES[model.framework])
    elif "graph" in model.files:
        yield from _exactly(path, "A frozen graph", model.files, ("graph",))
    elif "saved_model.pb" in model.files:
        yield from _saved_model(path, model.files)
    else:
        yield Finding(
            path,
            "TensorFlow needs a frozen graph or a SavedModel.",
            "graph, or saved_model.pb and the other paths in the SavedModel's folder",
            listing(model.files),
        )


def _exactly(
    path: Path, owner: str, given: Collection[str], wanted: Collection[str]
) -> Iterator[Finding]:
    unknown, missing = compared(given, wanted)
    for name, meant in unknown.items():
        yield Finding(
            (*path, name),
            f"{owner} has no file {quoted(name)}" + did_you_mean(meant),
            f"{listing(wanted)}, and nothing else",
            quoted(name),
        )
    for name in missing:
        message = f"{owner} needs the file '{name}'."
        yield Finding((*path, name), message, listing(wanted), listing(given))


def _saved_model(path: Path, files: Iterable[str]) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for file in files:
        folded = file.casefold()
        if fault := path_fault(file):
            message = "A path in a SavedModel must stay inside its folder."
            yield Finding((*path, file), message, fault, quoted(file))
            continue
        # Some file systems hold 'A' and 'a' to be one, none a file that is a folder too.
        clash = next((other for other in taken if _overlap(folded, other)), None)
        if clash is not None:
            message = "Two paths in a SavedModel cannot both be files."
            yield Finding(
                (*path, file), message, found=f"{quoted(taken[clash])} and {quoted(file)}"
            )
        taken[folded] = file


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def _model_input(path: Path, given: ModelInput, knows: Known) -> Iterator[Finding]:
    shape = (*path, "shape")
    if knows.whole(*shape) and math.prod(given.shape) > _MOST_ELEMENTS:
        message = "The input is larger than the memory of any guest."
        found = "x".join(map(str, given.shape))
        yield Finding(shape, message, "at most 2^30 elements", found)
    if not knows(*shape, "1"):
        return
    for key, values in (("mean", given.mean), ("scale", given.scale)):
        if not values or not knows(*path, key):
            continue
        if len(given.shape) < 2:
            message = f"The {key} is per channel, and an input of one axis has no channels."
            yield Finding((*path, key), message, "a shape such as [1, 3, 224, 224]")
        elif len(values) != given.shape[1]:
            values_text, channels = _count(len(values), "value"), _count(given.shape[1], "channel")
            yield Finding(
                (*path, key),
                f"The {key} has {values_text} for {channels}.",
                str(given.shape[1]),
                str(len(values)),
                "The channels are axis 1 of the shape; give one value for each.",
            )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
