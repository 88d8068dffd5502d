"""Recipe for a worker: render a fixture's source images, tensors and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.cache.json_decoding import convert_value, decode_json
from pipeline.config.tensor_tables import Tensor
from pipeline.errors import PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert.request import Interface
from pipeline.model.inspect.model_statistics import model_statistics
from pipeline.report.html.draw_outputs import FAULTS, draw_outputs, short
from pipeline.report.html.drawings import (
    CaseDrawings,
    Drawings,
    InputDrawings,
    Thumbnail,
)
from pipeline.report.html.thumbnails import as_plot, webp
from pipeline.tensor.layout_detector import declared_layout, detect_layout, reread
from pipeline.tensor.spec import TensorSpec
from pipeline.tensor.tensor_file import read_tensor
from pipeline.tensor.text_lines import split_lines
from pipeline.verify.expectation import labels_of

# Increase if the same files are rendered differently.
VERSION = 3
_FEW = 12


def draw(job: Job) -> None:
    """Recipe: write ``drawn`` as MessagePack, from whatever inputs exist.

    Inputs: ``xml`` and ``interface``; of each case ``source.<case>.<input>``,
    ``tensor.<case>.<input>``, ``output.<case>.<output>`` and ``labels.<case>``. Parameters:
    ``cases``, case → input → its table in the config and its ``dims``. What cannot be rendered
    gets a note.
    """
    cases = cast(Mapping[str, Mapping[str, Mapping[str, Any]]], job.parameters["cases"])
    interface = _interface(job.inputs.get("interface"))
    drawn: dict[str, CaseDrawings] = {}
    for case, inputs in cases.items():
        seen: list[Any] = []
        given = tuple(_given(job, case, name, table, seen) for name, table in inputs.items())
        ports = interface.of_case(case).outputs if interface else ()
        drawn[case] = CaseDrawings(
            inputs=given,
            outputs=draw_outputs(
                {
                    port: job.inputs[f"output.{case}.{port.name}"]
                    for port in ports
                    if f"output.{case}.{port.name}" in job.inputs
                },
                seen,
                _labels(job.inputs.get(f"labels.{case}")),
            ),
        )
    measured, unread = None, ""
    if interface is not None and "xml" in job.inputs:
        try:
            measured = model_statistics(job.inputs["xml"])
        except FAULTS as error:
            unread = short(error)
    result = Drawings(cases=drawn, statistics=measured, unread=unread)
    job.outputs["drawn"].write_bytes(msgspec.msgpack.encode(result))


def _interface(path: Path | None) -> Interface | None:
    if path is None:
        return None
    try:
        return decode_json(path.read_bytes(), Interface)
    except (OSError, msgspec.MsgspecError):
        return None


def _given(
    job: Job, case: str, name: str, table: Mapping[str, Any], seen: list[Any]
) -> InputDrawings:
    """Render one input; append the pixels of an image to ``seen``."""
    tensor = convert_value(
        {key: value for key, value in table.items() if key != "dims"}, Tensor, strict=False
    )
    notes = []
    source = None
    if (path := job.inputs.get(f"source.{case}.{name}")) is not None and tensor.image:
        try:
            source = _source(path, tensor)
        except FAULTS as error:
            notes.append(f"Cannot render the image: {short(error)}")
    path = job.inputs.get(f"tensor.{case}.{name}")
    if path is None:
        return InputDrawings(
            name=name, source=source, note=" ".join([*notes, "The tensor is missing."])
        )
    try:
        spec = TensorSpec.of(tensor, tuple(table["dims"]))
        values = read_tensor(path, spec)
        if tensor.image is not None:
            picture, note = _held(values, spec, seen)
            return InputDrawings(
                name=name, source=source, picture=picture, note=" ".join([*notes, note]).strip()
            )
        plot, note = _values(values)
        return InputDrawings(name=name, plot=plot, note=note)
    except FAULTS as error:
        notes.append(f"Cannot render the tensor: {short(error)}")
        return InputDrawings(name=name, source=source, note=" ".join(notes))


def _source(path: Path, tensor: Tensor) -> Thumbnail:
    from PIL import Image

    from pipeline.tensor.decode_image import decode

    shape: dict[str, Any] = {
        "background": tensor.background or (255, 255, 255),
        "least": (640, 640),
    }
    try:
        image = decode(path, "RGB", profile=True, **shape)
    except PipelineError:
        # The ICC profile may not fit the image, and the tensor may not use it.
        image = decode(path, "RGB", **shape)
    if tensor.crop is not None and tensor.decode == "exact":
        rows = tensor.crop.rows or (0, image.height)
        columns = tensor.crop.columns or (0, image.width)
        # Fade what the crop removes.
        veil = Image.new("L", image.size, 190)
        veil.paste(0, (columns[0], rows[0], columns[1], rows[1]))
        image.paste((255, 255, 255), mask=veil)
    return webp(image)


def _held(values: Any, spec: TensorSpec, seen: list[Any]) -> tuple[Thumbnail, str]:
    from PIL import Image

    from pipeline.tensor.tensor_preview import picture_of

    layout = spec.layout or ""
    note = ""
    if layout and layout == declared_layout(values.shape):
        guess = detect_layout(values, layout)
        if guess.layout != layout:
            note = f"Declared {layout}, but the bytes look like {guess.layout}."
            values, layout = reread(values, layout, guess.layout), guess.layout
    for axis, letter in reversed(list(enumerate(layout))):
        if letter in "ND":
            values = values.take(0, axis=axis)
    layout = "".join(letter for letter in layout if letter in "HWC")
    pixels = picture_of(values, layout, spec)
    seen.append(pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1].repeat(3, axis=2))
    return webp(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)), note


def _values(values: Any) -> tuple[Any, str]:
    flat = values.ravel()
    if not flat.size:
        return None, "no elements"
    if flat.size <= _FEW:
        return None, ", ".join(f"{value:g}" for value in flat.tolist())
    low, high = float(flat.min()), float(flat.max())
    if low == high:
        return None, f"all {flat.size:,} values are {low:g}"
    return as_plot(flat), f"{flat.size:,} values, {low:.4g} to {high:.4g}"


def _labels(path: Path | None) -> tuple[str, ...]:
    """Return the class names of a case, or none that can be read."""
    if path is None:
        return ()
    try:
        return labels_of(split_lines(path.read_bytes()))
    except (OSError, UnicodeDecodeError):
        return ()
