"""Infers a Paddle inference model with Paddle's own engine, on one thread of the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import paddle
from border import Order, serve
from paddle import inference


def infer(order: Order) -> Iterator[list[Any]]:
    """Run ``model`` with its weights ``params``."""
    config = inference.Config(str(order.files["model"]), str(order.files["params"]))
    config.disable_gpu()
    # What it would fuse and reorder is not what the model says.
    config.switch_ir_optim(False)
    config.disable_glog_info()
    predictor = inference.create_predictor(config)
    known = predictor.get_output_names()
    for name in order.outputs:
        if name not in known:
            raise ValueError(f"the model has no output {name!r}; it has: {', '.join(known)}")
    for inputs in order.draws:
        for name, array in inputs.items():
            handle = predictor.get_input_handle(name)
            handle.reshape(list(array.shape))
            handle.copy_from_cpu(array)
        predictor.run()
        yield [predictor.get_output_handle(name).copy_to_cpu() for name in order.outputs]


if __name__ == "__main__":
    serve(infer, paddle.__version__)
