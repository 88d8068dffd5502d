"""The classes that a guest's outputs rank first, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.host.session.tensor_recorder import RecordedTensor

# What is used without being named, if it is in the guest's folder.
LABELS = "labels.txt"
_SHOWN_OUTPUTS = 10


def labels_beside(guest: Path) -> Path | None:
    """Return the labels in the folder of a guest, if there are any."""
    path = guest.parent / LABELS
    return path if path.is_file() else None


def read_labels(path: Path) -> Sequence[str]:
    """Return the class names of a file, one a line; raises PipelineError (TENSOR)."""
    from pipeline.tensor.text_lines import read_lines
    from pipeline.verify.expectation import labels_of

    return labels_of(read_lines(path, "--labels"))


def classes_of(tensors: Sequence[RecordedTensor], labels: Sequence[str]) -> Iterator[str]:
    """Yield a line for each class that an output with as many elements as labels ranks first.

    >>> from pipeline.host.session.tensor_recorder import RecordedTensor
    >>> scores = RecordedTensor(
    ...     direction="output", context=0, index=0, name="prob", element="u8", dims=(1, 2),
    ...     data=bytes([3, 4]))
    >>> list(classes_of([scores], ["cat", "dog"]))
    ['prob: 1 dog 4', 'prob: 0 cat 3']
    """
    from pipeline.verify.expectation import ranking

    outputs = [each for each in tensors if each.direction == "output"]
    arrays = [(each.name, each.array()) for each in outputs]
    fitting = [(name, array) for name, array in arrays if array.size == len(labels)]
    for name, array in fitting[:_SHOWN_OUTPUTS]:
        for index, value in ranking(array):
            yield f"{name}: {index} {labels[index]} {value:.6g}"
    if len(fitting) > _SHOWN_OUTPUTS:
        yield f"the classes of {len(fitting) - _SHOWN_OUTPUTS} further outputs are not shown"
    if not fitting:
        sizes = ", ".join(sorted({str(array.size) for _, array in arrays})) or "none was read"
        yield f"no output has as many elements as there are labels, {len(labels)}: {sizes}"
