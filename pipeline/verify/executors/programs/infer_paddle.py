"""Infers a Paddle inference model with Paddle's own engine, on one thread of the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paddle
from border import serve
from paddle import inference


def infer(
    files: dict[str, Path], inputs: dict[str, Any], outputs: list[str], _architecture: str | None
) -> list[Any]:
    """Run ``model`` with its weights ``params``."""
    config = inference.Config(str(files["model"]), str(files["params"]))
    config.disable_gpu()
    # What it would fuse and reorder is not what the model says.
    config.switch_ir_optim(False)
    config.disable_glog_info()
    predictor = inference.create_predictor(config)
    for name, array in inputs.items():
        handle = predictor.get_input_handle(name)
        handle.reshape(list(array.shape))
        handle.copy_from_cpu(array)
    predictor.run()
    known = predictor.get_output_names()
    for name in outputs:
        if name not in known:
            raise ValueError(f"the model has no output {name!r}; it has: {', '.join(known)}")
    return [predictor.get_output_handle(name).copy_to_cpu() for name in outputs]


if __name__ == "__main__":
    serve(infer, paddle.__version__)
