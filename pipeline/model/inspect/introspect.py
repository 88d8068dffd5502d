"""Inspect a model's files for its inputs and outputs, without running the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.model_tables import Framework
from pipeline.model.inspect.introspect_caffe import introspect_caffe
from pipeline.model.inspect.introspect_kaldi import introspect_kaldi
from pipeline.model.inspect.introspect_mxnet import introspect_mxnet
from pipeline.model.inspect.introspect_openvino import introspect_openvino
from pipeline.model.inspect.introspect_pytorch import introspect_pytorch
from pipeline.model.inspect.model_interface import ModelInterface

_OWN = {
    "caffe": introspect_caffe,
    "kaldi": introspect_kaldi,
    "mxnet": introspect_mxnet,
    "pytorch": introspect_pytorch,
}


def introspect(
    framework: Framework, files: Mapping[str, Path], folder: Path, signature: str | None = None
) -> ModelInterface:
    """Return the inputs and outputs of a model; ``folder`` is an empty private folder.

    Raises PipelineError (MODEL, TIME_LIMIT) when the files are damaged or in another format.
    """
    if own := _OWN.get(framework):
        return own(files)
    return introspect_openvino(framework, files, folder, signature)
