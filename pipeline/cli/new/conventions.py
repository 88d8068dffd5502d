"""How pixels become input values: the frameworks' conventions, and a model's own first steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.model_tables import Framework
from pipeline.model.inspect.model_interface import PreprocessingStep


@dataclass(frozen=True)
class Convention:
    """How pixel values are transformed: ``(x in range - mean) / scale`` per channel."""

    range: str
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


# ImageNet's mean and deviation as in torchvision, and its mean as in Caffe's models.
CONVENTIONS: Mapping[str, Convention] = {
    "imagenet": Convention("0-1", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe": Convention("0-255", (104.0, 117.0, 123.0)),
    "signed": Convention("0-255", (127.5,) * 3, (127.5,) * 3),
    "unit": Convention("0-1"),
    "raw": Convention("0-255"),
}
MEANINGS: Mapping[str, str] = {
    "imagenet": "0 to 1, then torchvision's mean and deviation",
    "caffe": "0 to 255, minus the mean 104, 117, 123",
    "signed": "0 to 255, minus 127.5, divided by 127.5: -1 to 1",
    "unit": "0 to 1",
    "raw": "0 to 255",
}
_USUAL: Mapping[Framework, str] = {
    "caffe": "caffe",
    "tensorflow": "signed",
    "tflite": "signed",
}
# Networks expect values of about this magnitude.
_USUAL_SPREAD = 16.0


def default_convention(framework: Framework, channels: int) -> str:
    """Return the name of the usual convention of a framework's models.

    >>> default_convention("onnx", 3), default_convention("tflite", 1)
    ('imagenet', 'unit')
    """
    return _USUAL.get(framework, "imagenet") if channels == 3 else "unit"


def supports_channels(name: str, channels: int) -> bool:
    """Return whether a convention applies to this number of channels."""
    return not CONVENTIONS[name].mean or channels == 3


def implied_convention(steps: Sequence[PreprocessingStep]) -> str:
    """Return the convention of a model with these first steps.

    >>> implied_convention([PreprocessingStep("subtract", (123.7,)),
    ...     PreprocessingStep("multiply", (0.017,))])
    'raw'
    >>> implied_convention([PreprocessingStep("subtract", (0.485, 0.456, 0.406)),
    ...     PreprocessingStep("divide", (0.229, 0.224, 0.225))])
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


def _done(step: PreprocessingStep, value: float) -> float:
    number = step.values[0] if step.values else 0.0
    match step.operation:
        case "add":
            return value + number
        case "subtract":
            return value - number
        case "multiply":
            return value * number
    return value / number if number else value
