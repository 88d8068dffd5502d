"""The shape of an input: from the model, from an option, or with dynamic axes filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from pipeline.cli.new.prompts import Asker, Question, by_person
from pipeline.config.model_tables import Framework
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import TensorInfo

_SIDE = 224
_LEAST_SIDE = 4
_PICTURE_CHANNELS = (1, 3, 4)
_INDICES = 16
_SAMPLES = 16000
_EXAMPLES = (48, 320)
_PICTURE = (1, 3, 224, 224)
SOUND_NAMES = re.compile(r"audio|wav|speech|sound|signal|pcm|input_values", re.I)
Shape = tuple[int, ...]
Open = tuple[int | None, ...]


@dataclass(frozen=True)
class ResolvedShape:
    """A full shape, its layout if it is an image, and why its dynamic axes were set so."""

    shape: Shape
    layout: str = ""
    why: str = ""


def resolve_shape(
    tensor_info: TensorInfo,
    framework: Framework,
    given: Mapping[str, Shape],
    photos: bool,
    ask: Asker,
) -> ResolvedShape:
    """Return the shape of an input; raises PipelineError (USAGE) if it is unknown."""
    if tensor_info.name in given:
        shape = given[tensor_info.name]
        _check(tensor_info, framework, shape)
        return ResolvedShape(shape, picture_layout(shape, framework))
    if tensor_info.shape is None:
        default = "1x3x224x224" if photos else None
        shape, how = _ask_shape(tensor_info, framework, "?", default, ask)
        return ResolvedShape(
            shape, picture_layout(shape, framework), f"{how}: the model file has no shape"
        )
    open_ = tensor_info.shape
    layout = picture_layout(open_, framework)
    if framework == "caffe" and len(layout) == 4 and open_[0] != 1:
        return ResolvedShape(
            (1, *map(_whole, open_[1:])), layout, f"batch of 1 instead of {open_[0]}"
        )
    if not open_:
        return ResolvedShape((1,), why="the model has a scalar, and a tensor has at least one axis")
    if None not in open_:
        return ResolvedShape(tuple(map(_whole, open_)), layout)
    guess = _filled_picture(open_, layout) if layout else _filled(tensor_info, open_)
    left = f"dynamic in the model, {shown(open_)}"
    # The batch size needs no prompt.
    if guess is not None and (None not in open_[1:] or not by_person(ask)):
        return ResolvedShape(guess, layout, f"guess: {left}")
    default = shown(guess) if guess else None
    shape, how = _ask_shape(tensor_info, framework, shown(open_), default, ask)
    layout = layout if shape == guess else picture_layout(shape, framework)
    return ResolvedShape(shape, layout, f"{how}: {left}")


def picture_layout(shape: Sequence[int | None], framework: Framework) -> str:
    """Return the layout of an input that can take one image, found by its channels, or ''.

    >>> picture_layout((1, 3, 224, 224), "onnx"), picture_layout((None, None, None, 3), "tflite")
    ('NCHW', 'NHWC')
    >>> picture_layout((1, 43844, 1), "tensorflow")
    ''
    """
    last_first = framework in ("tensorflow", "tflite")
    if len(shape) == 4 and (shape[0] in (None, 1) or framework == "caffe"):
        forms = ("NHWC", "NCHW") if last_first else ("NCHW", "NHWC")
        # A dynamic axis may be anything, so look for a known channel axis first.
        for open_too in (False, True):
            for layout in forms:
                channels = shape[layout.index("C")]
                sides = [shape[layout.index(axis)] for axis in "HW"]
                fits = channels in _PICTURE_CHANNELS or (open_too and channels is None)
                if fits and all(side is None or side >= _LEAST_SIDE for side in sides):
                    return layout
    if len(shape) == 3:
        for layout in ("HWC", "CHW") if last_first else ("CHW", "HWC"):
            sides = [shape[layout.index(axis)] for axis in "HW"]
            if shape[layout.index("C")] in (3, 4) and all(side and side >= 16 for side in sides):
                return layout
    return ""


def shown(shape: Sequence[int | None]) -> str:
    """Return a shape as text, with a question mark for each dynamic axis."""
    return "x".join("?" if size is None else str(size) for size in shape)


def example(open_: Open | None) -> str:
    """Return an example of a shape, with its dynamic axes filled in.

    >>> example((None, 3, None, None))
    '1x3x48x320'
    """
    sizes = cycle(_EXAMPLES)
    filled = [next(sizes) if size is None else size for size in (open_ or _PICTURE)[1:]]
    return shown([(open_ or _PICTURE)[0] or 1, *filled])


def parse_shape(text: str) -> Shape:
    """Return the shape in a text such as ``1x3x224x224``; raises ValueError."""
    sizes = [int(part) for part in re.split(r"[x×,]", text.strip().strip("[]"))]
    if not sizes or any(size < 1 for size in sizes):
        raise ValueError(text)
    return tuple(sizes)


def _filled_picture(shape: Open, layout: str) -> Shape:
    sides = [shape[layout.index(axis)] for axis in "HW"]
    side = next((side for side in sides if side is not None), _SIDE)
    usual = {"N": 1, "C": 3, "H": side, "W": side}
    return tuple(
        usual[axis] if size is None else size for size, axis in zip(shape, layout, strict=True)
    )


def _filled(tensor_info: TensorInfo, shape: Open) -> Shape | None:
    """Return a shape that is not an image's with its dynamic axes filled in, or None."""
    rest = 1
    if tensor_info.type in ("i32", "i64"):
        rest = _INDICES
    elif SOUND_NAMES.search(tensor_info.name):
        rest = _SAMPLES
    elif None in shape[1:]:
        return None
    first = 1 if shape[0] is None and (len(shape) > 1 or rest == 1) else shape[0]
    return tuple(rest if size is None else size for size in (first, *shape[1:]))


def _ask_shape(
    tensor_info: TensorInfo, framework: Framework, open_: str, default: str | None, ask: Asker
) -> tuple[Shape, str]:
    """Return the shape, and whether it is a guess or was answered."""
    question = Question(
        text=f"Shape of the input {tensor_info.name!r} ({open_})",
        flag=f"--shape {tensor_info.name}={example(tensor_info.shape)}, with your sizes",
        default=default,
        fallback=example(tensor_info.shape),
    )
    while True:
        reply = ask(question)
        answer = reply.text
        try:
            shape = parse_shape(answer)
            _check(tensor_info, framework, shape)
        except (ValueError, PipelineError):
            text = f"{answer!r} does not match {open_}. Shape of the input {tensor_info.name!r}"
            question = replace(question, text=text)
        else:
            return shape, "as answered" if reply.known else "guess"


def _check(tensor_info: TensorInfo, framework: Framework, shape: Shape) -> None:
    own = tensor_info.shape
    if own is None or (own == () and shape == (1,)):
        return
    same = len(own) == len(shape) and all(
        size in (None, wanted) or (framework == "caffe" and axis == 0)
        for axis, (size, wanted) in enumerate(zip(own, shape, strict=False))
    )
    if not same:
        raise PipelineError(
            Code.USAGE,
            f"Input {tensor_info.name!r} does not accept this shape.",
            where=f"--shape {tensor_info.name}={shown(shape)}",
            expected=shown(own) or "1, for a scalar",
        )


def _whole(size: int | None) -> int:
    assert size is not None
    return size
