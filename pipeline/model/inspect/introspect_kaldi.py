"""Inspect a Kaldi nnet1 or nnet2 network: the number of input features."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import ModelInterface, TensorInfo

_HEAD = 64 << 20
_NUMBER = rb"\x04(?P<width>.{4})"
# A component of nnet1 starts with its sizes, output before input.
_NNET1 = re.compile(rb"<Nnet> <\w+> \x04.{4}" + _NUMBER, re.S)
_NNET2 = re.compile(
    rb"<Nnet> <NumComponents> \x04.{4}<Components> <\w+> "
    rb"(?:<InputDim> |<Dim> |<LearningRate> \x04.{4}<LinearParams> FM \x04.{4}|"
    rb"<LinearParams> FM \x04.{4})" + _NUMBER,
    re.S,
)
_MOST_FEATURES = 1 << 20


def introspect_kaldi(files: Mapping[str, Path]) -> ModelInterface:
    """Return the outline of ``model``, whose only input has rows of features.

    Raises PipelineError (MODEL).
    """
    path = files["model"]
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    forms = (("Input", _NNET2), ("Parameter", _NNET1))
    found = next(((name, match) for name, form in forms if (match := form.search(head))), None)
    width = struct.unpack("<i", found[1]["width"])[0] if found else 0
    if not head.startswith(b"\0B") or found is None or not 0 < width <= _MOST_FEATURES:
        raise PipelineError(
            Code.MODEL,
            "The file is not a supported Kaldi network.",
            where=str(path),
            expected="a binary nnet1 or nnet2 network",
            found="an nnet3 network" if b"<Nnet3>" in head[:_HEAD] else "",
        )
    return ModelInterface(inputs=(TensorInfo(name=found[0], type="f32", shape=(1, width)),))
