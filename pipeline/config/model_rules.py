"""Validation of the model: its files and inputs, quantisation, and the golden executor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from pipeline.cache.confined_path import path_fault
from pipeline.config.input_rules import check_input
from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.model_tables import QUANTISED, SPELLED, ExecutorName, Framework, Golden, Model
from pipeline.config.schema import Fixture
from pipeline.config.wording import Path, closest, compared, did_you_mean, listing, quoted

# Labels of a framework's files; for several forms of model, exactly one is given.
_FORMS: Mapping[Framework, tuple[tuple[str, ...], ...]] = {
    "caffe": (("topology", "weights"),),
    "kaldi": (("model",),),
    "mxnet": (("symbol", "params"),),
    "onnx": (("model",),),
    "openvino": (("model", "weights"),),
    "paddle": (("model", "params"),),
    "pytorch": (("weights",), ("torchscript",), ("exported",)),
    "tensorflow": (("graph",), ("saved_model.pb",)),
    "tflite": (("model",),),
}
# Files beside which weights are drawn from a seed.
_SEEDED: Mapping[Framework, tuple[str, ...]] = {"caffe": ("topology",), "pytorch": ()}
_WIDENS = ("absolute", "relative", "cosine")
# Frameworks whose models include further files, by relative path.
_WITH_PATHS = ("onnx", "tensorflow")
_READS: Mapping[ExecutorName, Framework] = {
    "litert": "tflite",
    "mxnet": "mxnet",
    "numpy": "kaldi",
    "onnxruntime": "onnx",
    "opencv": "caffe",
    "openvino": "openvino",
    "paddle": "paddle",
    "tensorflow": "tensorflow",
    "torch": "pytorch",
}


def check_model(model: Model, knows: KnownNames) -> Iterator[Mistake]:
    """Yield errors in the model's files and inputs."""
    yield from _model_files(model, knows)
    for name, given in model.inputs.items():
        yield from check_input(("model", "inputs", name), given, knows)


def check_quantisation(fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    """Yield what int8 and int4 lack, and keys that only these take."""
    if not knows("model", "precision"):
        return
    precision = fixture.model.precision
    quantised = precision in QUANTISED
    if quantised and not fixture.calibration and knows("calibration"):
        message = f"{precision} requires calibration tensors."
        hint = "Add [calibration.NAME.INPUT], with the keys of [tensor.NAME.INPUT]."
        yield Mistake(("model", "precision"), message, "calibration", "none", hint)
    if quantised and fixture.model.loss is None and knows("model", "loss"):
        message = f"{precision} requires a maximum loss."
        yield Mistake(("model", "precision"), message, "loss, such as 0.1")
    if not quantised:
        for path, given in (
            (("calibration",), fixture.calibration),
            (("model", "loss"), fixture.model.loss),
        ):
            if given:
                message = f"'{path[-1]}' requires precision int8 or int4, not {precision}."
                yield Mistake(path, message, hint="Remove the key, or use int8 or int4.")
    if precision != "int4" and fixture.model.group_size is not None:
        message = f"'group_size' requires precision int4, not {precision}."
        yield Mistake(("model", "group_size"), message, hint="Remove the key, or use int4.")


def check_golden(fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    """Yield why the golden executor cannot run the model or its twin."""
    golden, framework = fixture.golden, fixture.model.framework
    if golden.files:
        if knows("golden", "executor") and knows("golden", "files"):
            twin = _READS[golden.executor]
            yield from _files(("golden", "files"), twin, golden.executor, golden.files)
        if knows("model", "inputs"):
            for name in golden.inputs:
                if name not in fixture.model.inputs:
                    suggestion = closest(name, fixture.model.inputs)
                    yield Mistake(
                        ("golden", "inputs", name),
                        f"The model has no input {quoted(name)}" + did_you_mean(suggestion),
                        f"one of {listing(fixture.model.inputs)}",
                        quoted(name),
                    )
    elif knows("golden", "files"):
        for key in ("inputs", "outputs"):
            if getattr(golden, key):
                message = f"'{key}' maps names of a twin, but golden.files is not set."
                yield Mistake(("golden", key), message, hint="Remove it, or set golden.files.")
        known = knows("golden", "executor") and knows("model", "framework")
        if known and _READS[golden.executor] != framework:
            reads = SPELLED[_READS[golden.executor]]
            yield Mistake(
                ("golden", "executor"),
                f"{golden.executor} cannot run {SPELLED[framework]} models.",
                next((name for name, read in _READS.items() if read == framework), "golden.files"),
                golden.executor,
                f"Set golden.files to a twin in {reads}, or change the executor.",
            )
    for key, names in (("inputs", golden.inputs), ("outputs", golden.outputs)):
        yield from _check_distinct_names(("golden", key), names)
    yield from _reason(golden, knows)


def _reason(golden: Golden, knows: KnownNames) -> Iterator[Mistake]:
    if not knows("golden", "reason"):
        return
    widened = [key for key in _WIDENS if getattr(golden, key) is not None]
    if golden.reason is None or not golden.reason.strip():
        for key in widened:
            yield Mistake(
                ("golden", key),
                f"The key '{key}' widens the measured tolerance, and no reason is given.",
                "reason, in words",
                hint="Remove the key: the noise floor is measured. Or add golden.reason.",
            )
    elif not widened and all(knows("golden", key) for key in _WIDENS):
        message = "A reason is given, and nothing is widened."
        yield Mistake(("golden", "reason"), message, listing(_WIDENS), hint="Remove the reason.")


def _check_distinct_names(path: Path, names: Mapping[str, str]) -> Iterator[Mistake]:
    taken: dict[str, str] = {}
    for ours, theirs in names.items():
        if theirs in taken:
            message = "Two names of the IR map to one name of the twin."
            yield Mistake(
                (*path, ours), message, found=f"{listing((taken[theirs], ours))}: {quoted(theirs)}"
            )
        taken[theirs] = ours


def _model_files(model: Model, knows: KnownNames) -> Iterator[Mistake]:
    path = ("model", "files")
    if not knows("model", "framework") or not knows(*path):
        return
    owner = SPELLED[model.framework]
    if model.seed is not None and knows("model", "seed"):
        if model.framework not in _SEEDED:
            message = f"seed is not supported for {owner}."
            yield Mistake(("model", "seed"), message, "framework 'caffe' or 'pytorch'", owner)
            return
        seeded = f"{owner} with a seed"
        yield from _exactly(path, seeded, model.files, _SEEDED[model.framework])
    else:
        yield from _files(path, model.framework, owner, model.files)
    if model.signature is not None and not {"model", "saved_model.pb"} & set(model.files):
        message = "signature needs a TFLite file or a SavedModel."
        yield Mistake(("model", "signature"), message, hint="Remove the key.")
    elif model.signature is not None and model.framework not in ("tflite", "tensorflow"):
        message = f"signature is not supported for {owner}."
        yield Mistake(("model", "signature"), message, "a TFLite file or a SavedModel", owner)
    if knows("model", "architecture") and knows("model", "seed"):
        yield from _architecture(model)


def _architecture(model: Model) -> Iterator[Mistake]:
    path = ("model", "architecture")
    seeded = model.seed is not None
    needed = model.framework == "pytorch" and (seeded or "weights" in model.files)
    if needed and model.architecture is None:
        yield Mistake(
            path,
            "The seed has no architecture." if seeded else "The state dict has no architecture.",
            "mobilenet_v2, decoder, or package.module:callable",
            hint="Name the module of the weights, or use TorchScript.",
        )
    elif model.architecture is not None and not needed:
        message = "architecture needs a PyTorch state dict or a seed."
        yield Mistake(path, message, hint="Remove the key.")


def _files(
    path: Path, framework: Framework, owner: str, given: Mapping[str, str]
) -> Iterator[Mistake]:
    forms = _FORMS[framework]
    form = next((form for form in forms if form[0] in given), forms[0] if len(forms) == 1 else None)
    if form is None:
        first = " or ".join(each[0] for each in forms)
        message = f"{owner} needs one of its model files."
        yield Mistake(path, message, first, listing(given))
    elif framework in _WITH_PATHS and form[0] in given and form[0] != "graph":
        yield from _paths(path, [file for file in given if file != "model"])
    else:
        yield from _exactly(path, owner, given, form)


def _exactly(
    path: Path, owner: str, given: Collection[str], wanted: Collection[str]
) -> Iterator[Mistake]:
    unknown, missing = compared(given, wanted)
    for name, suggestion in unknown.items():
        yield Mistake(
            (*path, name),
            f"{owner} has no file {quoted(name)}" + did_you_mean(suggestion),
            f"{listing(wanted)}, and nothing else" if wanted else "no files",
            quoted(name),
        )
    for name in missing:
        message = f"{owner} needs the file '{name}'."
        yield Mistake((*path, name), message, listing(wanted), listing(given))


def _paths(path: Path, files: Iterable[str]) -> Iterator[Mistake]:
    taken: dict[str, str] = {}
    for file in files:
        folded = file.casefold()
        if fault := path_fault(file):
            message = "The path leaves the model's folder."
            yield Mistake((*path, file), message, fault, quoted(file))
            continue
        # Some file systems ignore case, and none allows a file to be a folder too.
        clash = next((other for other in taken if _overlap(folded, other)), None)
        if clash is not None:
            message = "Two paths of the model collide."
            yield Mistake(
                (*path, file), message, found=f"{quoted(taken[clash])} and {quoted(file)}"
            )
        taken[folded] = file


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")
