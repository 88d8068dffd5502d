"""Infers an MXNet symbol with MXNet, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mxnet
from border import Order, serve


def infer(order: Order) -> Iterator[list[Any]]:
    """Run ``symbol`` with its ``params``; an output is a layer, with or without :0 or _output."""
    internals = mxnet.sym.load(str(order.files["symbol"])).get_internals()
    known = internals.list_outputs()
    bare = [name.removesuffix(":0") for name in order.outputs]
    wanted = [name if name in known else f"{name}_output" for name in bare]
    for name in wanted:
        if name not in known:
            raise ValueError(f"the symbol has no output {name!r}")
    symbol = mxnet.sym.Group([internals[name] for name in wanted])
    stored = mxnet.nd.load(str(order.files["params"]))
    values = {name.partition(":")[2]: array for name, array in stored.items()}
    values.update(
        {name: mxnet.nd.array(array, dtype=array.dtype) for name, array in order.draws[0].items()}
    )
    arguments = {name: values[name] for name in symbol.list_arguments() if name in values}
    # A label that only training feeds has a shape, and no value.
    shapes, _, _ = symbol.infer_shape(**{name: a.shape for name, a in arguments.items()})
    for name, shape in zip(symbol.list_arguments(), shapes):  # noqa: B905 - Python 3.9
        arguments.setdefault(name, mxnet.nd.zeros(shape))
    auxiliary = {name: values[name] for name in symbol.list_auxiliary_states()}
    executor = symbol.bind(mxnet.cpu(), arguments, grad_req="null", aux_states=auxiliary)
    for inputs in order.draws:
        for name, array in inputs.items():
            executor.arg_dict[name][:] = array
        yield [array.asnumpy() for array in executor.forward(is_train=False)]


if __name__ == "__main__":
    serve(infer, mxnet.__version__)
