"""A drafted fixture: its tables, its guesses, and the text of its config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.cli.new.drafted_cases import DraftCase
from pipeline.cli.new.found_boxes import FoundBoxes
from pipeline.cli.new.inputs import Input, owner
from pipeline.cli.new.source_inference import TopClass
from pipeline.cli.new.toml_text import one_line, table, value
from pipeline.config.model_tables import QUANTISED, ExecutorName, Framework
from pipeline.config.schema import UNKNOWN_LICENCE, Source

EXECUTORS: Mapping[Framework, ExecutorName] = {
    "caffe": "opencv",
    "kaldi": "numpy",
    "mxnet": "mxnet",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "paddle": "paddle",
    "pytorch": "torch",
    "tensorflow": "tensorflow",
    "tflite": "litert",
}
# A model of this size is loaded by name, so that its weights do not fill the guest's memory.
_LARGE = 256 << 20
_LOSS = 0.1
_HEAD = """\
#:schema ../schema/fixture.schema.json
# Drafted by `wasi-nn new`: check each value marked "guess".
"""

Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SourceModel:
    """The model that an IR was converted from: its files by label, each with its source.

    ``inputs`` and ``outputs`` map the IR's names to its own, where they differ.
    """

    framework: Framework
    files: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Everything in a drafted config.

    ``files`` maps the framework's labels of files to sources. ``outputs`` maps every output to
    the type that it must be converted to, or is empty if wasi-nn has all their types. ``names``
    are the class names, if known. ``given`` are the cases with files. ``doubtful`` are the cases
    whose class or boxes a further precision may change. ``boxes`` are those of cases of a detector.
    """

    description: str
    sources: Mapping[str, Source]
    framework: Framework
    architecture: str | None
    signature: str | None
    files: Mapping[str, str]
    inputs: Sequence[Input]
    outputs: Mapping[str, str]
    precisions: Sequence[str]
    quantised: bool
    given: Sequence[DraftCase]
    guest: str
    size: int
    source_model: SourceModel | None = None
    labels: str | None = None
    names: Sequence[str] = ()
    top_classes: Mapping[str, TopClass] = field(default_factory=dict)
    doubtful: Mapping[str, Sequence[str]] = field(default_factory=dict)
    boxes: Mapping[str, FoundBoxes] = field(default_factory=dict)

    @property
    def cases(self) -> list[str]:
        """Return the names of the cases."""
        if self.given:
            return [case.name for case in self.given]
        kinds = [each.kind for each in self.inputs]
        return [next((kind for kind in ("tone", "tokens") if kind in kinds), kinds[0])]

    @property
    def executed(self) -> Framework:
        """Return the framework that the golden check runs."""
        return self.source_model.framework if self.source_model else self.framework

    def class_of(self, top_class: TopClass) -> str:
        """Return the class of an answer, with its name if that is known."""
        named = top_class.top1 < len(self.names)
        return f"{top_class.top1} {self.names[top_class.top1]}" if named else str(top_class.top1)


def text_of(draft: Draft) -> str:
    """Return the config as TOML, with a comment on every guess."""
    parts = [_HEAD + table((), {"description": draft.description}, {})]
    for name, source in draft.sources.items():
        parts.append(table(("source", name), _source(source), _source_why(source)))
    parts.append(_model(draft))
    for case in draft.cases:
        parts += _tensors(draft, case, "tensor", case)
    parts.append(_guest(draft))
    parts.append(_golden(draft))
    parts += [_expect(draft, case) for case in draft.cases]
    own = draft.precisions[0]
    if own in QUANTISED:
        parts += _calibration(draft, "calibration")
    for precision in draft.precisions[1:]:
        keys: Keys = {"precision": precision}
        if precision in QUANTISED:
            keys["loss"] = _LOSS
        parts.append(table(("variant", precision), keys, _loss_why(precision)))
        for case in draft.doubtful.get(precision, ()):
            swap = case in draft.top_classes
            reason = "its two largest outputs may swap" if swap else "its boxes may change"
            comment = {"golden_only": reason}
            where = ("variant", precision, "expect", case)
            parts.append(table(where, {"golden_only": True}, comment))
        if precision in QUANTISED:
            parts += _calibration(draft, "variant", precision, "calibration")
    return "\n".join(parts)


def _source(source: Source) -> Keys:
    keys = {
        "urls": list(source.urls),
        "sha256": source.sha256,
        "size": source.size,
        "license": source.license,
        "homepage": source.homepage,
    }
    return {name: each for name, each in keys.items() if each}


def _source_why(source: Source) -> dict[str, str]:
    if source.license == UNKNOWN_LICENCE:
        return {"license": "unknown: replace by its SPDX identifier"}
    return {}


def _model(draft: Draft) -> str:
    own = draft.precisions[0]
    keys: Keys = {"framework": draft.framework}
    if draft.architecture:
        keys["architecture"] = draft.architecture
    if draft.signature:
        keys["signature"] = draft.signature
    plain = draft.framework != "tensorflow" or "graph" in draft.files
    if plain:
        keys["files"] = dict(draft.files)
    if draft.framework == "pytorch":
        # Output names in a trace are counters.
        keys["outputs"] = {"output": {}}
    keys["precision"] = own
    if own in QUANTISED:
        keys["loss"] = _LOSS
    parts = [table(("model",), keys, _loss_why(own))]
    parts += [
        table(("model", "inputs", each.name), each.declared, each.why) for each in draft.inputs
    ]
    for name, kind in draft.outputs.items():
        keys = {"type": kind} if kind else {}
        why = {"type": "wasi-nn does not have the model's type"}
        parts.append(table(("model", "outputs", name), keys, why))
    if not plain:
        parts.append(table(("model", "files"), draft.files, {}))
    return "\n".join(parts)


def _loss_why(precision: str) -> dict[str, str]:
    comment = "guess: maximum relative L2 error of an output"
    return {"loss": comment} if precision in QUANTISED else {}


def _tensors(draft: Draft, case: str, *path: str) -> list[str]:
    made = next((each for each in draft.given if each.name == case), None)
    found = []
    for given in draft.inputs:
        where = (*path, given.name)
        if made is not None and given.name in made.tensors:
            tensor = made.tensors[given.name]
            found.append(table(where, tensor.keys, tensor.why))
        else:
            comment = {} if given.picture else given.why
            found.append(table(where, given.without, comment))
    return found


def _calibration(draft: Draft, *path: str) -> Iterable[str]:
    comment = (
        "# The loss, and ranges of int8, are measured on these. Use other photos, if possible.\n"
    )
    for number, case in enumerate(draft.cases):
        for part in _tensors(draft, case, *path, f"calibrate-{case}"):
            yield (comment if number == 0 else "") + part
            comment = ""


def _guest(draft: Draft) -> str:
    keys: Keys = {"program": draft.guest, "memory": "1 GiB"}
    why = {}
    if draft.size > _LARGE:
        keys = {"program": draft.guest, "load": "name", "seconds": 300, "memory": "1 GiB"}
        why = {"load": "the weights exceed a guest's memory"}
    return table(("guest",), keys, why)


def _golden(draft: Draft) -> str:
    keys: Keys = {"executor": EXECUTORS[draft.executed]}
    why = {"executor": "runs the source model without OpenVINO"}
    if draft.executed == "openvino":
        why = {"executor": "runs the IR as given: set files to its source model, if you have it"}
    if model := draft.source_model:
        names = {"files": model.files, "inputs": model.inputs, "outputs": model.outputs}
        keys |= {key: dict(each) for key, each in names.items() if each}
        why |= dict.fromkeys(("inputs", "outputs"), "guess: by their order")
    return table(("golden",), keys, why)


def _expect(draft: Draft, case: str) -> str:
    top_class = draft.top_classes.get(case)
    if top_class is None and (found := draft.boxes.get(case)):
        return _detections(draft, case, found)
    if top_class is None:
        comment = f"no expected class: only {EXECUTORS[draft.executed]} must agree"
        return table(("expect", case), {"golden_only": True}, {"golden_only": comment})
    keys: Keys = {
        **({"output": top_class.output} if top_class.several else {}),
        "top1": top_class.top1,
    }
    if draft.labels:
        keys["labels"] = draft.labels
    name = f"{draft.names[top_class.top1]}, " if top_class.top1 < len(draft.names) else ""
    comment = (
        f"{name}as {EXECUTORS[draft.executed]} predicts with {owner(draft.executed)}'s model "
        f"({top_class.value:.3f}); check it against the image"
    )
    return table(("expect", case), keys, {"top1": comment})


def _detections(draft: Draft, case: str, found: FoundBoxes) -> str:
    boxes = [
        {"box": each.box, **({} if each.index is None else {"index": each.index})}
        for each in found.boxes
    ]
    keys: Keys = {"score": found.score, "boxes": boxes}
    comment = (
        f"as {EXECUTORS[draft.executed]} predicts with {owner(draft.executed)}'s model; check them "
        "against the image"
    )
    tables = [table(("expect", case, "detections"), keys, {"score": comment})]
    if draft.labels:
        tables.insert(0, table(("expect", case), {"labels": draft.labels}, {}))
    return "\n".join(tables)


def guesses(draft: Draft) -> list[tuple[str, str, str]]:
    """Return the guesses as rows: what was guessed, its value, and why."""
    found = []
    files = draft.given[0].tensors if draft.given else {}
    for given in draft.inputs:
        tensor = files.get(given.name)
        other = tensor is not None and "image" not in tensor.keys
        if tensor is not None and other:
            for name, why in tensor.why.items():
                shown = value(tensor.keys[name].get("rate", tensor.keys[name]["source"])).strip('"')
                found.append((one_line(f"{given.name} {name}"), one_line(shown), one_line(why)))
        for name, why in given.why.items():
            if name == "resize" or (other and name not in given.declared):
                continue
            keys = given.picture if given.picture and name in given.picture else given.without
            item = given.declared.get(name, keys.get(name))
            shown = "x".join(map(str, item)) if name == "shape" else value(item).strip('"')
            if isinstance(item, dict):
                shown = "made from a seed" if name == "noise" else "synthesised"
            found.append((one_line(f"{given.name} {name}"), one_line(shown), one_line(why)))
    return found


def size_of(files: Iterable[Path]) -> int:
    """Return the size of a model's files in bytes."""
    return sum(path.stat().st_size for path in files)
