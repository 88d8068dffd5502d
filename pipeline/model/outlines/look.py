"""Looks into a model's files, each framework in its own way; nothing of the model is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.model_tables import Framework
from pipeline.model.outlines.by_openvino import outline_by_openvino
from pipeline.model.outlines.caffe import outline_caffe
from pipeline.model.outlines.kaldi import outline_kaldi
from pipeline.model.outlines.mxnet import outline_mxnet
from pipeline.model.outlines.outline import Outline
from pipeline.model.outlines.pytorch import outline_pytorch

_OWN = {
    "caffe": outline_caffe,
    "kaldi": outline_kaldi,
    "mxnet": outline_mxnet,
    "pytorch": outline_pytorch,
}


def look(framework: Framework, files: Mapping[str, Path], folder: Path) -> Outline:
    """Return what the files of a model tell; ``folder`` is empty and private.

    Raises PipelineError (MODEL, TIME_LIMIT) when they are damaged, or of another kind than they
    seem.
    """
    if own := _OWN.get(framework):
        return own(files)
    return outline_by_openvino(framework, files, folder)
