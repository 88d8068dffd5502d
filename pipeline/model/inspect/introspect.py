"""Inspect a model's files for its inputs and outputs, without running the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.model_tables import Framework
from pipeline.model.inspect.introspect_caffe import outline_caffe
from pipeline.model.inspect.introspect_kaldi import outline_kaldi
from pipeline.model.inspect.introspect_mxnet import outline_mxnet
from pipeline.model.inspect.introspect_openvino import outline_by_openvino
from pipeline.model.inspect.introspect_pytorch import outline_pytorch
from pipeline.model.inspect.model_interface import Outline

_OWN = {
    "caffe": outline_caffe,
    "kaldi": outline_kaldi,
    "mxnet": outline_mxnet,
    "pytorch": outline_pytorch,
}


def look(framework: Framework, files: Mapping[str, Path], folder: Path) -> Outline:
    """Return the inputs and outputs of a model; ``folder`` is an empty private folder.

    Raises PipelineError (MODEL, TIME_LIMIT) when the files are damaged or in another format.
    """
    if own := _OWN.get(framework):
        return own(files)
    return outline_by_openvino(framework, files, folder)
