"""A drafted fixture: its tables, what was guessed, and the text of its config."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config.model_tables import ExecutorName, Framework
from pipeline.config.schema import UNKNOWN_LICENCE, Source
from pipeline.draft.answer import Answer
from pipeline.draft.inputs import Input, owner
from pipeline.draft.photo import Fit
from pipeline.draft.toml_text import one_line, table, value

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
# A model of this size is loaded by name: its weights need not pass the guest's memory.
_LARGE = 256 << 20
_LOSS = 0.1
_HEAD = """\
#:schema ../schema/fixture.schema.json
# Drafted by `wasi-nn new`: a value with "guess" behind it is worth a look.
"""

Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo: the case and the source that it becomes, and how it fits each input of pictures."""

    case: str
    source: str
    fits: Mapping[str, Fit]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """All that a config says.

    ``files`` maps the framework's names of files to sources. ``outputs`` are all of the model's,
    each with the type that it must be given; they are empty where its own can be carried.
    ``names`` are those of the classes, where they are here. ``doubtful`` are the cases whose class
    a further precision may change.
    """

    description: str
    sources: Mapping[str, Source]
    framework: Framework
    architecture: str | None
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
    answers: Mapping[str, Answer] = field(default_factory=dict)
    doubtful: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def cases(self) -> list[str]:
        """Return the names of the cases."""
        if self.photos:
            return [photo.case for photo in self.photos]
        kinds = [each.kind for each in self.inputs]
        return [next((kind for kind in ("tone", "tokens") if kind in kinds), kinds[0])]

    def class_of(self, answer: Answer) -> str:
        """Return the class of an answer, with its name where that is known."""
        named = answer.top1 < len(self.names)
        return f"{answer.top1} {self.names[answer.top1]}" if named else str(answer.top1)


def unique(wanted: str, taken: Collection[str]) -> str:
    """Return a name as a config may have it, other than those that are taken.

    >>> unique("My Cat (1)", ["my-cat-1"])
    'my-cat-1-2'
    """
    name = _OTHER.sub("-", wanted.casefold()).strip("-_")[:_LONGEST_NAME] or "file"
    made, number = name, 2
    while made in taken:
        made, number = f"{name}-{number}", number + 1
    return made


def text_of(draft: Draft) -> str:
    """Return the config as TOML, with a comment wherever something was guessed."""
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
            told = {"golden_only": "its two largest outputs may change their places"}
            where = ("variant", precision, "expect", case)
            parts.append(table(where, {"golden_only": True}, told))
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
        return {"license": "not given: its SPDX identifier belongs here"}
    return {}


def _model(draft: Draft) -> str:
    own = draft.precisions[0]
    keys: Keys = {"framework": draft.framework}
    if draft.architecture:
        keys["architecture"] = draft.architecture
    plain = draft.framework != "tensorflow" or "graph" in draft.files
    if plain:
        keys["files"] = dict(draft.files)
    if draft.framework == "pytorch":
        # The names that a trace gives are counters.
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
        why = {"type": "the model gives what wasi-nn cannot carry"}
        parts.append(table(("model", "outputs", name), keys, why))
    if not plain:
        parts.append(table(("model", "files"), draft.files, {}))
    return "\n".join(parts)


def _loss_why(precision: str) -> dict[str, str]:
    told = "guess: the share of an output's length that quantising may cost"
    return {"loss": told} if precision == "int8" else {}


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
            told = {} if given.picture else given.why
            found.append(table(where, given.without, told))
    return found


def _calibration(draft: Draft, *path: str) -> Iterable[str]:
    told = (
        "# The ranges of values are measured on these: other photos than those above are better.\n"
    )
    for number, case in enumerate(draft.cases):
        for part in _tensors(draft, case, *path, f"calibrate-{case}"):
            yield (told if number == 0 else "") + part
            told = ""


def _guest(draft: Draft) -> str:
    keys: Keys = {"program": draft.guest, "memory": "1 GiB"}
    why = {}
    if draft.size > _LARGE:
        keys = {"program": draft.guest, "load": "name", "seconds": 300, "memory": "1 GiB"}
        why = {"load": "the weights are too large for a guest's memory"}
    return table(("guest",), keys, why)


def _golden(draft: Draft) -> str:
    keys: Keys = {"executor": EXECUTORS[draft.framework]}
    why = {"executor": "an executor of the source model that is not OpenVINO"}
    return table(("golden",), keys, why)


def _expect(draft: Draft, case: str) -> str:
    answer = draft.answers.get(case)
    if answer is None:
        told = f"nothing is known but that {EXECUTORS[draft.framework]} must agree"
        return table(("expect", case), {"golden_only": True}, {"golden_only": told})
    keys: Keys = {**({"output": answer.output} if answer.several else {}), "top1": answer.top1}
    if draft.labels:
        keys["labels"] = draft.labels
    name = f"{draft.names[answer.top1]}, " if answer.top1 < len(draft.names) else ""
    told = (
        f"{name}as {EXECUTORS[draft.framework]} answers to {owner(draft.framework)}'s model "
        f"({answer.value:.3f}); is it what the picture shows?"
    )
    return table(("expect", case), keys, {"top1": told})


def guesses(draft: Draft) -> list[tuple[str, str, str]]:
    """Return what was guessed, for a person: of what, the value, and why."""
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
    """Return the bytes of a model's files."""
    return sum(path.stat().st_size for path in files)
