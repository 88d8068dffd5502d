"""Draft one input of a model: its declaration, and its tensor from a photo or without one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pipeline.cli.new.conventions import CONVENTIONS, MEANINGS, Values, bearable, usual, wanted_by
from pipeline.cli.new.prompts import Asker, Question, by_person
from pipeline.cli.new.shapes import SOUND_NAMES, Settled, Shape, settle
from pipeline.config.model_tables import SPELLED, Framework, PortType
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import Border

_COLOURS = {1: "GRAY", 3: "RGB", 4: "RGBA"}
_FLOATS = ("f16", "f32", "f64")
_LEAST_SAMPLES = 4000
_RATE = 16000
_STATES = re.compile(r"state|hidden|cache|past|^[hc]_?[0n]$", re.I)
_SAMPLE_RATE = re.compile(r"^sr$|rate", re.I)
_MASK = re.compile(r"mask", re.I)
_SEGMENT = re.compile(r"token_type|segment", re.I)

Keys = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Options of the command line about the inputs; the rest is guessed."""

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    values: str | None = None
    colour: str | None = None
    layout: str | None = None


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
    border: Border, framework: Framework, wishes: Wishes, photos: bool, ask: Asker
) -> Input:
    """Draft an input; raises PipelineError (MODEL, USAGE)."""
    signed = border.type == "i8" and framework == "tflite"
    if border.type not in get_args(PortType) and not signed:
        raise PipelineError(
            Code.MODEL,
            f"Input {border.name!r} has an element type that wasi-nn does not have.",
            expected=", ".join(get_args(PortType)),
            found=border.type,
        )
    settled = settle(border, framework, wishes.shapes, photos, ask)
    why = {"shape": settled.why} if settled.why else {}
    declared: dict[str, Any] = {"shape": list(settled.shape)}
    if signed:
        declared["type"] = "f32"
        why["type"] = "wasi-nn does not have the model's i8; f32 holds its values exactly"
    layout = wishes.layout if wishes.layout and settled.layout else settled.layout
    if layout:
        keys, told = _picture(border, framework, settled, layout, wishes, photos, ask)
        return Input(
            name=border.name,
            shape=settled.shape,
            kind="noise",
            declared=declared,
            picture=keys,
            without={"type": keys["type"], "noise": _noise_like(keys)},
            why={**why, **told},
        )
    kind, keys, told_one = _stand_in(border, settled.shape, "f32" if signed else border.type)
    return Input(
        name=border.name,
        shape=settled.shape,
        kind=kind,
        declared=declared,
        picture={},
        without=keys,
        why={**why, **told_one},
    )


def _picture(
    border: Border,
    framework: Framework,
    settled: Settled,
    layout: str,
    wishes: Wishes,
    photos: bool,
    ask: Asker,
) -> tuple[dict[str, Any], dict[str, str]]:
    channels = settled.shape[layout.index("C")]
    why = {
        "layout": f"axis {layout.index('C')} has {_count(channels, 'channel')}",
        "resize": "as in most frameworks' examples",
    }
    colour = wishes.colour or _COLOURS[channels]
    if wishes.colour:
        why["colour"] = "as given"
    elif channels == 3:
        colour, why["colour"] = _order(border, framework, photos, ask)
    values, why["range"] = _values(border, framework, channels, wishes, ask)
    keys = {
        "resize": "opencv-linear",
        "colour": colour,
        "range": values.range,
        **({"mean": list(values.mean)} if values.mean else {}),
        **({"scale": list(values.scale)} if values.scale else {}),
        "type": "f32" if border.type == "i8" else border.type,
        "layout": layout,
    }
    if wishes.layout:
        why["layout"] = "as given"
    return keys, why


def _order(border: Border, framework: Framework, photos: bool, ask: Asker) -> tuple[str, str]:
    """Return the channel order, and how it was found."""
    usual_one = "BGR" if framework == "caffe" else "RGB"
    if not (photos and by_person(ask)):
        most = "models" if framework == "caffe" else "most models"
        return usual_one, f"guess: {most} of {owner(framework)} are trained on {usual_one}"
    question = Question(
        text=f"Channel order of the input {border.name!r}",
        flag="--colour",
        default=usual_one,
        choices={
            "RGB": "red first, as in most models",
            "BGR": "blue first, as in OpenCV and Caffe",
        },
    )
    return ask(question), "as answered"


def _values(
    border: Border, framework: Framework, channels: int, wishes: Wishes, ask: Asker
) -> tuple[Values, str]:
    if border.type == "i8":
        return Values("0-255", (128.0,) * channels), _quantised(border, "pixel value minus 128")
    if border.type not in _FLOATS:
        return CONVENTIONS["raw"], _quantised(border, "unchanged pixel values")
    name, why = usual(framework, channels), f"as in most models of {owner(framework)}"
    known = False
    if border.steps:
        done = ", ".join(step.operation for step in border.steps)
        name = wanted_by(border.steps)
        why = f"because the model itself begins with: {done}"
    elif wishes.values is None and channels == 3:
        choices = {each: text for each, text in MEANINGS.items() if bearable(each, channels)}
        asked = Question(
            text=f"Pixel values of the input {border.name!r}",
            flag="--values",
            default=name,
            choices=choices,
        )
        answer = ask(asked)
        if by_person(ask):
            name, why, known = answer, "as answered", True
    if wishes.values is not None:
        if not bearable(wishes.values, channels):
            raise PipelineError(
                Code.USAGE,
                f"--values {wishes.values} needs an input with three channels.",
                where=f"--values {wishes.values}",
                expected="unit or raw",
                found=f"{border.name!r} has {_count(channels, 'channel')}",
            )
        name, why, known = wishes.values, "as given", True
    guess = "" if known else "guess: "
    return CONVENTIONS[name], f"{guess}{MEANINGS[name]}, {why}"


def _quantised(border: Border, what: str) -> str:
    if border.scale is None:
        return f"integers: {what}"
    return f"quantised, scale {border.scale:.6g}, zero point {border.zero_point}: {what}"


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
    border: Border, shape: Shape, kind: str
) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Return the tensor of an input that is not an image: the case's name, the keys, and why."""
    long = [size for size in shape if size > 1]
    if kind not in _FLOATS:
        return _whole_numbers(border, shape, kind)
    if _STATES.search(border.name):
        return (
            "start",
            {"type": kind, "constant": 0},
            {"constant": "guess: an initial state"},
        )
    if len(long) == 1 and (
        long[0] >= _LEAST_SAMPLES or (SOUND_NAMES.search(border.name) and long[0] > 1)
    ):
        signal = {"rate": _RATE, "frequencies": [220, 440], "harmonics": 4, "peak": 0.5}
        return (
            "tone",
            {"type": kind, "signal": signal},
            {"signal": "guess: one long axis, as for sound"},
        )
    told = "the model does not say what these values mean"
    return "noise", {"type": kind, "noise": {"seed": 1, "low": -1, "high": 1}}, {"noise": told}


def _whole_numbers(
    border: Border, shape: Shape, kind: str
) -> tuple[str, dict[str, Any], dict[str, str]]:
    if _MASK.search(border.name):
        return "tokens", {"type": kind, "constant": 1}, {"constant": "guess: nothing is masked"}
    if _SEGMENT.search(border.name):
        return "tokens", {"type": kind, "constant": 0}, {"constant": "guess: one segment"}
    if _SAMPLE_RATE.search(border.name) and max(shape) == 1:
        return (
            "noise",
            {"type": kind, "constant": _RATE},
            {"constant": "guess: a sample rate, by its name"},
        )
    if border.indices:
        noise = {"seed": 1, "low": 0, "high": border.indices - 1}
        return (
            "tokens",
            {"type": kind, "noise": noise},
            {"noise": f"indices of {border.indices} entries"},
        )
    high = 255 if kind == "u8" else 1
    told = "the model does not say how large these values may be"
    return "noise", {"type": kind, "noise": {"seed": 1, "low": 0, "high": high}}, {"noise": told}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
