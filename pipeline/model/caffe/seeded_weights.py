"""The step ``weights``: make a caffemodel with random weights for a topology."""

from __future__ import annotations

from typing import Any

from pipeline.execution.action import Job
from pipeline.model.caffe.caffemodel import write_caffemodel
from pipeline.model.caffe.layers import Weighted, weighted_layers


def draw_weights(job: Job) -> None:
    """Recipe: write random ``weights`` for the ``topology``, from the parameter ``seed``.

    The same bytes on every machine. Raises PipelineError (MODEL).
    """
    import numpy

    # NumPy's only generator with a guaranteed stable stream (NEP 19).
    source = numpy.random.RandomState(int(str(job.parameters["seed"])))
    layers = weighted_layers(job.inputs["topology"])
    drawn = {name: (layer.kind, _arrays(layer, source)) for name, layer in layers.items()}
    write_caffemodel(job.outputs["weights"], str(job.parameters["name"]), drawn)


def _arrays(layer: Weighted, source: Any) -> list[Any]:
    """Draw weights that keep the variance through a ReLU (He and others, arXiv:1502.01852).

    Biases are distinct, since a converter may merge equal constants.
    """
    import numpy

    weights, *biases = layer.shapes
    fan_in = int(numpy.prod(weights[1:]))
    # Uniform instead of normal: a third of the time, and independent of math libraries.
    limit = (6.0 / fan_in) ** 0.5
    drawn = source.random_sample(weights).astype(numpy.float32)
    drawn *= numpy.float32(2 * limit)
    drawn -= numpy.float32(limit)
    made = [drawn]
    for shape in biases:
        steps = numpy.linspace(-0.1, 0.1, int(numpy.prod(shape)), dtype=numpy.float32)
        made.append(source.permutation(steps).reshape(shape))
    return made
