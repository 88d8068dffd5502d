"""The cases of a draft: from photos, and from files for single inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cli.new.input_files import FileKind, InputFile, tensor_keys
from pipeline.cli.new.inputs import Input
from pipeline.cli.new.names import unique
from pipeline.cli.new.photo import fit
from pipeline.errors import Code, PipelineError


@dataclass(frozen=True, kw_only=True)
class FileTensor:
    """A tensor that is made from a file: the keys of its table, and the reasons of guesses."""

    keys: Mapping[str, Any]
    why: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DraftCase:
    """A case: its name, and the tensors of the inputs that have files."""

    name: str
    tensors: Mapping[str, FileTensor]


@dataclass(frozen=True, kw_only=True)
class DraftCases:
    """The cases, the files of their sources by name, and notes for the user."""

    cases: Sequence[DraftCase]
    sources: Mapping[str, Path]
    notes: Sequence[str]


def draft_cases(
    inputs: Sequence[Input],
    photos: Sequence[Path],
    files: Mapping[str, Sequence[InputFile]],
    vocabulary: Path | None,
    taken: Sequence[str],
) -> DraftCases:
    """Return one case for each photo, and for each file of an input that has several.

    A file that is alone for its input is in every case. ``taken`` are names of other sources.
    Raises PipelineError (USAGE, TENSOR).
    """
    columns = _columns(inputs, photos, files)
    count = max(map(len, columns.values()), default=0)
    names: dict[Path, str] = {}
    notes: dict[str, None] = {}
    cases: list[DraftCase] = []
    by_name = {each.name: each for each in inputs}
    for number in range(count):
        row = {name: column[number % len(column)] for name, column in columns.items()}
        for file in row.values():
            if file.path not in names:
                names[file.path] = unique(file.path.stem, {*names.values(), *taken})
        tensors = {}
        for name, file in row.items():
            tensor, more = _tensor(by_name[name], file, names[file.path], vocabulary)
            tensors[name] = tensor
            notes |= dict.fromkeys(more)
        varied = [name for name, column in columns.items() if len(column) == count]
        case = unique(names[row[varied[0]].path], {each.name for each in cases})
        cases.append(DraftCase(name=case, tensors=tensors))
    sources = {name: path for path, name in names.items()}
    return DraftCases(cases=cases, sources=sources, notes=list(notes))


def _columns(
    inputs: Sequence[Input], photos: Sequence[Path], files: Mapping[str, Sequence[InputFile]]
) -> dict[str, Sequence[InputFile]]:
    """Return the files of each input; the photos are those of image inputs without others."""
    shots = [InputFile(path=path, kind=FileKind.PICTURE) for path in photos]
    columns: dict[str, Sequence[InputFile]] = {
        each.name: shots for each in inputs if shots and each.picture and each.name not in files
    }
    columns |= files
    counts = {name: len(column) for name, column in columns.items()}
    if len({each for each in counts.values() if each != 1}) > 1:
        raise PipelineError(
            Code.USAGE,
            "The inputs have different numbers of files.",
            expected="one file for each case, or one for all of them",
            found=", ".join(f"{name}: {number}" for name, number in counts.items()),
        )
    return columns


def _tensor(
    given: Input, file: InputFile, source: str, vocabulary: Path | None
) -> tuple[FileTensor, Sequence[str]]:
    if file.kind is FileKind.PICTURE and given.picture:
        fitted = fit(file.path, given)
        keys = {"image": source, **given.picture, **fitted.keys}
        return FileTensor(keys=keys, why={**given.why, **fitted.why}), fitted.notes
    wanted = {"type": given.without["type"], "count": math.prod(given.shape)}
    made, why = tensor_keys(given.name, file, source, wanted, vocabulary)
    return FileTensor(keys=made, why=why), ()
