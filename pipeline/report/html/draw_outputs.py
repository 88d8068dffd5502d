"""Render the outputs of a case by what they are: boxes, class maps, curves, tokens, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import PipelineError
from pipeline.model.convert.request import Port
from pipeline.report.html.drawings import OutputDrawings
from pipeline.report.html.output_forms import Form, form_of
from pipeline.report.html.thumbnails import (
    as_plot,
    boxes_picture,
    classes_picture,
    mask_picture,
    roll_picture,
)
from pipeline.tensor.spec import TensorSpec
from pipeline.tensor.tensor_file import read_tensor
from pipeline.verify.detections import Detections, detections

# What NumPy and Pillow may raise for an invalid image or output.
FAULTS = (PipelineError, OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError)
_WHOLE = ("u8", "i8", "i32", "i64")
_FEW = 12
_TOKENS = 64
_LARGEST = 3


def draw_outputs(
    files: Mapping[Port, Path], seen: Sequence[Any], labels: Sequence[str]
) -> tuple[OutputDrawings, ...]:
    """Return the renderings of outputs by their files.

    ``seen`` are the pixels of the input images, ``labels`` the class names.
    """
    arrays: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for port, path in files.items():
        try:
            spec = TensorSpec(port.shape, cast(Any, port.type), None, None)
            values = read_tensor(path, spec)
            whole = port.type in _WHOLE
            arrays[port.name] = values.astype(ELEMENT_TYPES[port.type].dtype) if whole else values
        except FAULTS as error:
            faults[port.name] = short(error)
    boxes = detections(arrays, seen[0].shape[:2]) if seen else None
    found = []
    for port in files:
        try:
            if port.name in faults:
                note = f"Cannot render the output: {faults[port.name]}"
                found.append(OutputDrawings(name=port.name, note=note))
            elif boxes is not None and boxes.output == port.name:
                found.append(_boxes(boxes, labels, seen[0]))
            else:
                # The largest of a single output are in the table beside it.
                alone = len(files) == 1 and arrays[port.name].dtype.kind == "f"
                found.append(_output(port.name, arrays[port.name], seen, labels, alone=alone))
        except FAULTS as error:
            note = f"Cannot render the output: {short(error)}"
            found.append(OutputDrawings(name=port.name, note=note))
    return tuple(found)


def short(error: Exception) -> str:
    """Return the first line of what an error says."""
    text = error.message if isinstance(error, PipelineError) else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0][:300]


def _boxes(found: Detections, labels: Sequence[str], pixels: Any) -> OutputDrawings:
    count = len(found.boxes)
    if not count:
        note = f"no box has a score of at least {found.least:g}"
        return OutputDrawings(name=found.output, note=note)
    what = "box with a score" if count == 1 else "boxes with scores"
    return OutputDrawings(
        name=found.output,
        picture=boxes_picture(found.boxes, labels, pixels),
        note=f"{count} {what} of at least {found.least:g}",
    )


def _output(
    name: str, array: Any, seen: Sequence[Any], labels: Sequence[str], *, alone: bool
) -> OutputDrawings:
    if not array.size:
        return OutputDrawings(name=name, note="no elements")
    whole = array.dtype.kind in "iu"
    form = form_of(array.shape, seen[0].shape[:2] if seen else None, whole=whole)
    if form is Form.NONE:
        return OutputDrawings(name=name, note="" if alone else _as_text(array, labels))
    axes = [length for length in array.shape if length > 1]
    values = array.reshape(axes)
    ends = f"{float(values.min()):.3g} to {float(values.max()):.3g}"
    size = " × ".join(map(str, axes))
    match form:
        case Form.PLOT:
            return OutputDrawings(name=name, plot=as_plot(values), note=f"{size} values, {ends}")
        case Form.MASK:
            picture = mask_picture(values, seen[0])
            note = f"{size} over the input, brighter is higher; {ends}"
        case Form.ROLL:
            picture = roll_picture(values)
            note = f"{axes[0]} to the right, {axes[1]} upwards; {ends}"
        case _:
            classes, many = values, 0
            if form is not Form.CLASS_MAP:
                axis = 0 if form is Form.CLASSES else 2
                classes, many = values.argmax(axis=axis), axes[axis]
            picture = classes_picture(classes, seen[0])
            of = f"top class of {many}" if many else "class"
            note = (
                f"{size}: {of} at each position, one colour per class; {_shares(classes, labels)}"
            )
    return OutputDrawings(name=name, picture=picture, note=note)


def _shares(classes: Any, labels: Sequence[str]) -> str:
    """Return the most frequent classes of a map, with their shares."""
    import numpy

    found, counts = numpy.unique(classes, return_counts=True)
    order = numpy.argsort(-counts, kind="stable")[:_LARGEST]
    return ", ".join(
        f"{_name(int(found[at]), labels)} {counts[at] / classes.size:.0%}" for at in order
    )


def _as_text(array: Any, labels: Sequence[str]) -> str:
    """Return an output as text: bytes as their text, tokens and few numbers whole, else the top."""
    import numpy

    flat = array.ravel()
    if array.dtype.kind in "iu" and flat.size > 1:
        if array.dtype.itemsize == 1 and (text := _printable(flat)):
            return f"“{text}”"
        listed = " ".join(_name(int(each), labels) for each in flat[:_TOKENS])
        return listed + (f" … ({flat.size} in all)" if flat.size > _TOKENS else "")
    if flat.size <= _FEW:
        return ", ".join(f"{value:g}" for value in flat.tolist())
    values = numpy.nan_to_num(array.astype(numpy.float64), nan=-numpy.inf)
    order = numpy.argsort(-values.ravel(), kind="stable")[:_LARGEST]
    several = len([length for length in array.shape if length > 1]) > 1
    parts = []
    for at in order:
        place = numpy.unravel_index(int(at), array.shape)
        where = f"[{', '.join(map(str, place))}]" if several else _name(int(at), labels)
        parts.append(f"{where} {float(flat[at]):.4g}")
    return f"{' × '.join(map(str, array.shape))}, largest: {'; '.join(parts)}"


def _printable(flat: Any) -> str:
    """Return bytes as text, without padding, or '' if they are none."""
    try:
        text = flat.tobytes().rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return ""
    return (
        text if len(text) > 1 and all(each.isprintable() or each in "\n\t" for each in text) else ""
    )


def _name(class_: int, labels: Sequence[str]) -> str:
    return labels[class_] if 0 <= class_ < len(labels) else str(class_)
