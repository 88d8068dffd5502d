"""How pictures become numbers: the conventions of frameworks, and what a model does by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.model_tables import Framework
from pipeline.model.outlines.outline import Step


@dataclass(frozen=True)
class Values:
    """What becomes of a picture's bytes: ``(x in range - mean) / scale`` per channel."""

    range: str
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


# Means and deviations of ImageNet's pictures as torchvision, and as Caffe's models have them.
CONVENTIONS: Mapping[str, Values] = {
    "imagenet": Values("0-1", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe": Values("0-255", (104.0, 117.0, 123.0)),
    "signed": Values("0-255", (127.5,) * 3, (127.5,) * 3),
    "unit": Values("0-1"),
    "raw": Values("0-255"),
}
MEANINGS: Mapping[str, str] = {
    "imagenet": "0 to 1, then torchvision's mean and deviation",
    "caffe": "0 to 255, less the mean 104, 117, 123",
    "signed": "0 to 255, less 127.5 and divided by it: -1 to 1",
    "unit": "0 to 1",
    "raw": "0 to 255",
}
_USUAL: Mapping[Framework, str] = {
    "caffe": "caffe",
    "tensorflow": "signed",
    "tflite": "signed",
}
# Weights of a network look for numbers of about this magnitude.
_USUAL_SPREAD = 16.0


def usual(framework: Framework, channels: int) -> str:
    """Return the name of the convention that most models of a framework follow.

    >>> usual("onnx", 3), usual("tflite", 1)
    ('imagenet', 'unit')
    """
    return _USUAL.get(framework, "imagenet") if channels == 3 else "unit"


def bearable(name: str, channels: int) -> bool:
    """Return whether a convention can be that of so many channels."""
    return not CONVENTIONS[name].mean or channels == 3


def wanted_by(steps: Sequence[Step]) -> str:
    """Return the convention of a model whose own first steps are these.

    >>> wanted_by([Step("subtract", (123.7,)), Step("multiply", (0.017,))])
    'raw'
    >>> wanted_by([Step("subtract", (0.485, 0.456, 0.406)), Step("divide", (0.229, 0.224, 0.225))])
    'unit'
    """
    low, high = 0.0, 255.0
    for step in steps:
        low, high = (_done(step, value) for value in (low, high))
    shift = max(
        (abs(v) for s in steps if s.operation in ("add", "subtract") for v in s.values), default=0
    )
    small = abs(high - low) <= _USUAL_SPREAD
    return "raw" if small or shift > 2 else "unit"


def _done(step: Step, value: float) -> float:
    number = step.values[0] if step.values else 0.0
    match step.operation:
        case "add":
            return value + number
        case "subtract":
            return value - number
        case "multiply":
            return value * number
    return value / number if number else value
