"""Which label each picture has, and which class of the model that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from pipeline.errors import Code, PipelineError

_SHOWN = 5


def folder_labels(names: Iterable[str], where: str) -> dict[str, str]:
    """Return the folder that each picture lies in; raises PipelineError (TENSOR) for none.

    >>> folder_labels(["val/cat/a.jpg"], "pets")
    {'val/cat/a.jpg': 'cat'}
    """
    labels = {name: PurePosixPath(name).parent.name for name in names}
    _check([name for name, label in labels.items() if not label], where, "lie in no folder")
    return labels


def file_labels(names: Iterable[str], text: str, where: str) -> dict[str, str]:
    r"""Return each picture's label out of a text of lines ``path label``.

    A line is split at its last tab, or else its last comma, or else its last space. Lines of other
    pictures are passed over. Raises PipelineError (TENSOR) for a picture with none, or with two
    that differ.

    >>> file_labels(["my cat.jpg"], "dog.jpg 3\nmy cat.jpg 281\n", "pets")
    {'my cat.jpg': '281'}
    """
    wanted = set(names)
    labels: dict[str, str] = {}
    for line in text.splitlines():
        separator = next((each for each in "\t, " if each in line.strip()), None)
        name, _, label = (part.strip() for part in line.rpartition(separator or " "))
        if name in wanted and label and labels.setdefault(name, label) != label:
            raise PipelineError(
                Code.TENSOR,
                "The file of labels has two for one picture.",
                where=f"{where}: {name}",
                found=f"{labels[name]} and {label}",
            )
    _check(sorted(wanted - labels.keys()), where, "have no line in the file of labels")
    return labels


def class_numbers(labels: Iterable[str], classes: str | None, where: str) -> Mapping[str, int]:
    r"""Return the class of each label, counted from 0.

    ``classes`` has a class a line; a label is a whole line, its first word (as WordNet ids are),
    or all after it. Without ``classes``, or where no line is that label, a label of digits is the
    number itself. Raises PipelineError (TENSOR).

    >>> class_numbers(["n02124075"], "n02123394 Persian cat\nn02124075 Egyptian cat", "pets")
    {'n02124075': 1}
    """
    known: dict[str, int] = {}
    for number, line in enumerate((classes or "").splitlines()):
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
            "A label is none of the classes.",
            where=where,
            expected="a line of classes, or its first word" if classes else "a whole number",
            found=_few(unknown),
            hint="classes names the source with the label of each class, one a line.",
        )
    return numbers


def _check(missing: list[str], where: str, what: str) -> None:
    if missing:
        raise PipelineError(
            Code.TENSOR,
            "There are pictures without a label.",
            where=where,
            found=f"{len(missing)} {what}: {_few(missing)}",
        )


def _few(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
