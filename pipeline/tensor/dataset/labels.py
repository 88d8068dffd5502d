"""Labels of images, from folders or a label file, and their class numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from pipeline.errors import Code, PipelineError

_SHOWN = 5


def folder_labels(names: Iterable[str], where: str) -> dict[str, str]:
    """Label each image by its folder; raises PipelineError (TENSOR) for an image without one.

    >>> folder_labels(["val/cat/a.jpg"], "pets")
    {'val/cat/a.jpg': 'cat'}
    """
    labels = {name: PurePosixPath(name).parent.name for name in names}
    _check([name for name, label in labels.items() if not label], where, "not in a folder")
    return labels


def file_labels(names: Iterable[str], lines: Iterable[str], where: str) -> dict[str, str]:
    """Return each image's label from lines ``path label``.

    A line is split at its last tab, else its last comma, else its last space. Lines of other
    images are ignored. Raises PipelineError (TENSOR) for an image without a label or with
    conflicting labels.

    >>> file_labels(["my cat.jpg"], ["dog.jpg 3", "my cat.jpg 281"], "pets")
    {'my cat.jpg': '281'}
    """
    wanted = set(names)
    labels: dict[str, str] = {}
    for line in lines:
        separator = next((each for each in "\t, " if each in line.strip()), None)
        name, _, label = (part.strip() for part in line.rpartition(separator or " "))
        if name in wanted and label and labels.setdefault(name, label) != label:
            raise PipelineError(
                Code.TENSOR,
                "The label file has two labels for one image.",
                where=f"{where}: {name}",
                found=f"{labels[name]} and {label}",
            )
    _check(sorted(wanted - labels.keys()), where, "missing from the label file")
    return labels


def class_numbers(
    labels: Iterable[str], classes: Sequence[str] | None, where: str
) -> Mapping[str, int]:
    """Return the class number of each label, from 0.

    ``classes`` has one class per line; a label matches a whole line, its first word (such as a
    WordNet id), or the rest after it. Otherwise a label of digits is the class number itself.
    Raises PipelineError (TENSOR).

    >>> class_numbers(["n02124075"], ["n02123394 Persian cat", "n02124075 Egyptian cat"], "pets")
    {'n02124075': 1}
    """
    known: dict[str, int] = {}
    for number, line in enumerate(classes or ()):
        first, _, rest = line.strip().partition(" ")
        for label in (line.strip(), first, rest.strip()):
            if label:
                known.setdefault(label, number)
    numbers = {}
    for label in set(labels):
        if label in known:
            numbers[label] = known[label]
        elif label.isascii() and label.isdigit() and len(label) < 10:
            numbers[label] = int(label)
    unknown = sorted(set(labels) - numbers.keys())
    if unknown:
        raise PipelineError(
            Code.TENSOR,
            "A label matches no class.",
            where=where,
            expected="a line of classes, or its first word" if classes else "an integer",
            found=_few(unknown),
            hint="Set classes to a source with the label of each class, one per line.",
        )
    return numbers


def _check(missing: list[str], where: str, what: str) -> None:
    if missing:
        raise PipelineError(
            Code.TENSOR,
            "Some images have no label.",
            where=where,
            found=f"{len(missing)} {what}: {_few(missing)}",
        )


def _few(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
