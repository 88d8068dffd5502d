"""Infers a frozen graph or a SavedModel with TensorFlow, by the names of tensors in its graph."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from border import Order, serve


def infer(order: Order) -> Iterator[list[Any]]:
    """Run the graph ``graph``, or the SavedModel made of all files.

    A name is one of the SavedModel's default signature, or of a tensor in the graph.
    """
    if "graph" not in order.files:
        for member, path in order.files.items():
            place = Path("model", member)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    yield from _run(order, order.draws, tf.compat.v1.ConfigProto())
    if order.measure:
        plain = tf.compat.v1.ConfigProto()
        plain.graph_options.rewrite_options.disable_meta_optimizer = True
        plain.graph_options.optimizer_options.opt_level = -1
        yield from _run(order, order.draws[:1], plain)


def _run(order: Order, draws: list[dict[str, Any]], settings: Any) -> Iterator[list[Any]]:
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(config=settings) as session:
        known = {}
        if "graph" in order.files:
            definition = tf.compat.v1.GraphDef.FromString(order.files["graph"].read_bytes())
            tf.import_graph_def(definition, name="")
        else:
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], "model")
            signature = loaded.signature_def["serving_default"]
            for ports in (signature.inputs, signature.outputs):
                known.update({name: port.name for name, port in ports.items()})
        wanted = [_tensor(known.get(name, name)) for name in order.outputs]
        for inputs in draws:
            fed = {_tensor(known.get(name, name)): array for name, array in inputs.items()}
            yield list(session.run(wanted, fed))


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


if __name__ == "__main__":
    serve(infer, tf.__version__)
