"""Draft one input of a model: its declaration, and its tensor from a photo or without one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pipeline.cli.new.conventions import (
    CONVENTIONS,
    MEANINGS,
    Convention,
    default_convention,
    implied_convention,
    supports_channels,
)
from pipeline.cli.new.prompts import Asker, Question, by_person
from pipeline.cli.new.shapes import SOUND_NAMES, ResolvedShape, Shape, resolve_shape
from pipeline.config.model_tables import CARRIED, SPELLED, Framework, PortType
from pipeline.config.tensor_rules import is_usual_layout
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import TensorInfo

_COLOURS = {1: "GRAY", 3: "RGB", 4: "RGBA"}
_FLOATS = ("f16", "f32", "f64")
_LEAST_SAMPLES = 4000
_RATE = 16000
_STATES = re.compile(r"state|hidden|cache|past|^[hc]_?[0n]$", re.I)
_SAMPLE_RATE = re.compile(r"^sr$|rate", re.I)
MASK = re.compile(r"mask", re.I)
_PIXELS: Mapping[str, PortType] = {**CARRIED, "i8": "f32"}
SEGMENT = re.compile(r"token_type|segment", re.I)

Keys = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Options of the command line about the inputs; the rest is guessed."""

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    values: str | None = None
    colour: str | None = None
    layout: str | None = None
    any_layout: bool = False


@dataclass(frozen=True, kw_only=True)
class Input:
    """An input as the config will declare it.

    ``declared`` are the keys of [model.inputs.NAME]; ``picture`` those of a tensor from a photo,
    without its image, or empty if the input is not an image; ``without`` those of a tensor that
    needs no file. ``kind`` is the name of a case without a photo. ``why`` explains keys by how they
    were found.
    """

    name: str
    shape: Shape
    kind: str
    declared: Keys
    picture: Keys
    without: Keys
    why: Mapping[str, str]


def owner(framework: Framework) -> str:
    """Return the framework's name as it spells it.

    >>> owner("tflite")
    'TFLite'
    """
    return SPELLED[framework]


def draft_input(
    tensor_info: TensorInfo,
    framework: Framework,
    overrides: Overrides,
    photos: bool,
    ask: Asker,
    of_pixels: Asker | None = None,
) -> Input:
    """Draft an input; raises PipelineError (MODEL, USAGE).

    ``of_pixels`` answers how pixels become values, if that is another one.
    """
    carried: str = CARRIED.get(tensor_info.type, "")
    if framework == "tflite" and tensor_info.type == "i8":
        carried = "f32"
    if tensor_info.type not in get_args(PortType) and not carried:
        raise PipelineError(
            Code.MODEL,
            f"Input {tensor_info.name!r} has an element type that wasi-nn does not have.",
            expected=", ".join(get_args(PortType)),
            found=tensor_info.type,
        )
    settled = resolve_shape(tensor_info, framework, overrides.shapes, photos, ask)
    why = {"shape": settled.why} if settled.why else {}
    declared: dict[str, Any] = {"shape": list(settled.shape)}
    if carried:
        declared["type"] = carried
        why["type"] = (
            f"wasi-nn does not have the model's {tensor_info.type}; {carried} holds its values"
        )
    layout = overrides.layout if overrides.layout and settled.layout else settled.layout
    if layout:
        keys, reasons = _picture(
            tensor_info, framework, settled, layout, overrides, photos, of_pixels or ask
        )
        return Input(
            name=tensor_info.name,
            shape=settled.shape,
            kind="noise",
            declared=declared,
            picture=keys,
            without={"type": keys["type"], "noise": _noise_like(keys)},
            why={**why, **reasons},
        )
    kind, keys, guesses = _stand_in(tensor_info, settled.shape, carried or tensor_info.type)
    return Input(
        name=tensor_info.name,
        shape=settled.shape,
        kind=kind,
        declared=declared,
        picture={},
        without=keys,
        why={**why, **guesses},
    )


def _picture(
    tensor_info: TensorInfo,
    framework: Framework,
    settled: ResolvedShape,
    layout: str,
    overrides: Overrides,
    photos: bool,
    ask: Asker,
) -> tuple[dict[str, Any], dict[str, str]]:
    channels = settled.shape[layout.index("C")]
    why = {
        "layout": f"axis {layout.index('C')} has {_count(channels, 'channel')}",
        "resize": "as in most frameworks' examples",
    }
    colour = overrides.colour or _COLOURS[channels]
    if overrides.colour:
        why["colour"] = "as given"
    elif channels == 3:
        colour, why["colour"] = _order(tensor_info, framework, photos, ask)
    values, why["range"] = _values(tensor_info, framework, channels, overrides, ask)
    keys: dict[str, Any] = {
        "resize": "opencv-linear",
        "colour": colour,
        "range": values.range,
        **({"mean": list(values.mean)} if values.mean else {}),
        **({"scale": list(values.scale)} if values.scale else {}),
        "type": _PIXELS.get(tensor_info.type, tensor_info.type),
        "layout": layout,
    }
    if overrides.layout:
        why["layout"] = "as given"
    if not is_usual_layout(layout):
        _confirm(layout, overrides, ask)
        keys["any_layout"] = True
    return keys, why


def _confirm(layout: str, overrides: Overrides, ask: Asker) -> None:
    """Ask whether a layout that no framework has is meant; raises PipelineError (USAGE) if not."""
    if overrides.any_layout:
        return
    question = Question(
        text=f"No framework has the layout {layout}. Use it",
        flag="--yes",
        choices={"yes": "the model takes such images", "no": "another --layout is needed"},
    )
    if not by_person(ask) or ask(question).text != "yes":
        raise PipelineError(
            Code.USAGE,
            f"No framework has the layout {layout}.",
            where=f"--layout {layout}",
            expected="such as NCHW or NHWC",
            hint="If the model takes such images, add --yes.",
        )


def _order(
    tensor_info: TensorInfo, framework: Framework, photos: bool, ask: Asker
) -> tuple[str, str]:
    """Return the channel order, and how it was found."""
    usual_one = "BGR" if framework == "caffe" else "RGB"
    most = "models" if framework == "caffe" else "most models"
    guess = f"guess: {most} of {owner(framework)} are trained on {usual_one}"
    if not (photos and by_person(ask)):
        return usual_one, guess
    question = Question(
        text=f"Channel order of the input {tensor_info.name!r}",
        flag="--colour",
        default=usual_one,
        choices={
            "RGB": "red first, as in most models",
            "BGR": "blue first, as in OpenCV and Caffe",
        },
    )
    answer = ask(question)
    return answer.text, "as answered" if answer.known else guess


def _values(
    tensor_info: TensorInfo, framework: Framework, channels: int, overrides: Overrides, ask: Asker
) -> tuple[Convention, str]:
    if tensor_info.type == "i8":
        return Convention("0-255", (128.0,) * channels), _quantised(
            tensor_info, "pixel value minus 128"
        )
    if CARRIED.get(tensor_info.type, tensor_info.type) not in _FLOATS:
        return CONVENTIONS["raw"], _quantised(tensor_info, "unchanged pixel values")
    name, why = default_convention(framework, channels), f"as in most models of {owner(framework)}"
    known = False
    if tensor_info.steps:
        done = ", ".join(step.operation for step in tensor_info.steps)
        name = implied_convention(tensor_info.steps)
        why = f"because the model itself begins with: {done}"
    elif overrides.values is None and channels == 3:
        choices = {
            each: text for each, text in MEANINGS.items() if supports_channels(each, channels)
        }
        question = Question(
            text=f"Pixel values of the input {tensor_info.name!r}",
            flag="--values",
            default=name,
            choices=choices,
        )
        answer = ask(question)
        if answer.known:
            name, why, known = answer.text, "as answered", True
    if overrides.values is not None:
        if not supports_channels(overrides.values, channels):
            raise PipelineError(
                Code.USAGE,
                f"--values {overrides.values} needs an input with three channels.",
                where=f"--values {overrides.values}",
                expected="unit or raw",
                found=f"{tensor_info.name!r} has {_count(channels, 'channel')}",
            )
        name, why, known = overrides.values, "as given", True
    guess = "" if known else "guess: "
    return CONVENTIONS[name], f"{guess}{MEANINGS[name]}, {why}"


def _quantised(tensor_info: TensorInfo, what: str) -> str:
    if tensor_info.scale is None:
        return f"integers: {what}"
    return f"quantised, scale {tensor_info.scale:.6g}, zero point {tensor_info.zero_point}: {what}"


def _noise_like(keys: Keys) -> dict[str, Any]:
    """Return noise over the value range of images."""
    top = 255.0 if keys["range"] == "0-255" else 1.0
    means = keys.get("mean") or [0.0]
    scales = keys.get("scale") or [1.0]
    pairs = list(zip(means * len(scales), scales * len(means), strict=False))
    low = min((0.0 - mean) / scale for mean, scale in pairs)
    high = max((top - mean) / scale for mean, scale in pairs)
    return {"seed": 1, "low": round(low, 3), "high": round(high, 3)}


def _stand_in(
    tensor_info: TensorInfo, shape: Shape, kind: str
) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Return the tensor of an input that is not an image: the case's name, the keys, and why."""
    long = [size for size in shape if size > 1]
    if kind not in _FLOATS:
        return _whole_numbers(tensor_info, shape, kind)
    if _STATES.search(tensor_info.name):
        return (
            "start",
            {"type": kind, "constant": 0},
            {"constant": "guess: an initial state"},
        )
    if len(long) == 1 and (
        long[0] >= _LEAST_SAMPLES or (SOUND_NAMES.search(tensor_info.name) and long[0] > 1)
    ):
        signal = {"rate": _RATE, "frequencies": [220, 440], "harmonics": 4, "peak": 0.5}
        return (
            "tone",
            {"type": kind, "signal": signal},
            {"signal": "guess: one long axis, as for sound"},
        )
    comment = "the model does not say what these values mean"
    return "noise", {"type": kind, "noise": {"seed": 1, "low": -1, "high": 1}}, {"noise": comment}


def _whole_numbers(
    tensor_info: TensorInfo, shape: Shape, kind: str
) -> tuple[str, dict[str, Any], dict[str, str]]:
    if MASK.search(tensor_info.name):
        return "tokens", {"type": kind, "constant": 1}, {"constant": "guess: nothing is masked"}
    if SEGMENT.search(tensor_info.name):
        return "tokens", {"type": kind, "constant": 0}, {"constant": "guess: one segment"}
    if _SAMPLE_RATE.search(tensor_info.name) and max(shape) == 1:
        return (
            "noise",
            {"type": kind, "constant": _RATE},
            {"constant": "guess: a sample rate, by its name"},
        )
    if tensor_info.indices:
        noise = {"seed": 1, "low": 0, "high": tensor_info.indices - 1}
        return (
            "tokens",
            {"type": kind, "noise": noise},
            {"noise": f"indices of {tensor_info.indices} entries"},
        )
    high = 255 if tensor_info.type == "u8" else 1
    comment = "the model does not say how large these values may be"
    return "noise", {"type": kind, "noise": {"seed": 1, "low": 0, "high": high}}, {"noise": comment}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
