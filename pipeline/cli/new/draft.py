"""A drafted fixture: its tables, its guesses, and the text of its config."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.cli.new.inputs import Input, owner
from pipeline.cli.new.photo import Fit
from pipeline.cli.new.source_inference import TopClass
from pipeline.cli.new.toml_text import one_line, table, value
from pipeline.config.model_tables import ExecutorName, Framework
from pipeline.config.schema import UNKNOWN_LICENCE, Source

EXECUTORS: Mapping[Framework, ExecutorName] = {
    "caffe": "opencv",
    "kaldi": "numpy",
    "mxnet": "mxnet",
    "onnx": "onnxruntime",
    "paddle": "paddle",
    "pytorch": "torch",
    "tensorflow": "tensorflow",
    "tflite": "litert",
}
_OTHER = re.compile(r"[^a-z0-9_-]+")
_LONGEST_NAME = 48
# A model of this size is loaded by name, so that its weights do not fill the guest's memory.
_LARGE = 256 << 20
_LOSS = 0.1
_HEAD = """\
#:schema ../schema/fixture.schema.json
# Drafted by `wasi-nn new`: check each value marked "guess".
"""

Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo: its case and source, and how it fits each image input."""

    case: str
    source: str
    fits: Mapping[str, Fit]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Everything in a drafted config.

    ``files`` maps the framework's labels of files to sources. ``outputs`` maps every output to
    the type that it must be converted to, or is empty if wasi-nn has all their types. ``names``
    are the class names, if known. ``doubtful`` are the cases whose class a further precision may
    change.
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
    photos: Sequence[Photo]
    guest: str
    size: int
    labels: str | None = None
    names: Sequence[str] = ()
    top_classes: Mapping[str, TopClass] = field(default_factory=dict)
    doubtful: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def cases(self) -> list[str]:
        """Return the names of the cases."""
        if self.photos:
            return [photo.case for photo in self.photos]
        kinds = [each.kind for each in self.inputs]
        return [next((kind for kind in ("tone", "tokens") if kind in kinds), kinds[0])]

    def class_of(self, top_class: TopClass) -> str:
        """Return the class of an answer, with its name if that is known."""
        named = top_class.top1 < len(self.names)
        return f"{top_class.top1} {self.names[top_class.top1]}" if named else str(top_class.top1)


def unique(wanted: str, taken: Collection[str]) -> str:
    """Return a valid config name that is not in ``taken``.

    >>> unique("My Cat (1)", ["my-cat-1"])
    'my-cat-1-2'
    """
    name = _OTHER.sub("-", wanted.casefold()).strip("-_")[:_LONGEST_NAME] or "file"
    made, number = name, 2
    while made in taken:
        made, number = f"{name}-{number}", number + 1
    return made


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
    if own == "int8":
        parts += _calibration(draft, "calibration")
    for precision in draft.precisions[1:]:
        keys: Keys = {"precision": precision}
        if precision == "int8":
            keys["loss"] = _LOSS
        parts.append(table(("variant", precision), keys, _loss_why(precision)))
        for case in draft.doubtful.get(precision, ()):
            comment = {"golden_only": "its two largest outputs may swap"}
            where = ("variant", precision, "expect", case)
            parts.append(table(where, {"golden_only": True}, comment))
        if precision == "int8":
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
    if own == "int8":
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
    return {"loss": comment} if precision == "int8" else {}


def _tensors(draft: Draft, case: str, *path: str) -> list[str]:
    photo = next((photo for photo in draft.photos if photo.case == case), None)
    found = []
    for given in draft.inputs:
        where = (*path, given.name)
        if photo is not None and given.name in photo.fits:
            fit = photo.fits[given.name]
            keys = {"image": photo.source, **given.picture, **fit.keys}
            found.append(table(where, keys, {**given.why, **fit.why}))
        else:
            comment = {} if given.picture else given.why
            found.append(table(where, given.without, comment))
    return found


def _calibration(draft: Draft, *path: str) -> Iterable[str]:
    comment = (
        "# Value ranges are measured on these. Use other photos than those above, if possible.\n"
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
    keys: Keys = {"executor": EXECUTORS[draft.framework]}
    why = {"executor": "runs the source model without OpenVINO"}
    return table(("golden",), keys, why)


def _expect(draft: Draft, case: str) -> str:
    top_class = draft.top_classes.get(case)
    if top_class is None:
        comment = f"no expected class: only {EXECUTORS[draft.framework]} must agree"
        return table(("expect", case), {"golden_only": True}, {"golden_only": comment})
    keys: Keys = {
        **({"output": top_class.output} if top_class.several else {}),
        "top1": top_class.top1,
    }
    if draft.labels:
        keys["labels"] = draft.labels
    name = f"{draft.names[top_class.top1]}, " if top_class.top1 < len(draft.names) else ""
    comment = (
        f"{name}as {EXECUTORS[draft.framework]} predicts with {owner(draft.framework)}'s model "
        f"({top_class.value:.3f}); check it against the image"
    )
    return table(("expect", case), keys, {"top1": comment})


def guesses(draft: Draft) -> list[tuple[str, str, str]]:
    """Return the guesses as rows: what was guessed, its value, and why."""
    found = []
    for given in draft.inputs:
        for name, why in given.why.items():
            if name == "resize":
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
