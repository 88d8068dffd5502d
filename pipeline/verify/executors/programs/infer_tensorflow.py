"""Infers a frozen graph or a SavedModel with TensorFlow, by the names of tensors in its graph."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf
from border import serve


def infer(
    files: dict[str, Path], inputs: dict[str, Any], outputs: list[str], _architecture: str | None
) -> list[Any]:
    """Run the graph ``graph``, or the SavedModel made of all files.

    A name is one of the SavedModel's default signature, or of a tensor in the graph.
    """
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session() as session:
        known = {}
        if "graph" in files:
            definition = tf.compat.v1.GraphDef.FromString(files["graph"].read_bytes())
            tf.import_graph_def(definition, name="")
        else:
            for member, path in files.items():
                place = Path("model", member)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], "model")
            signature = loaded.signature_def["serving_default"]
            for ports in (signature.inputs, signature.outputs):
                known.update({name: port.name for name, port in ports.items()})
        fed = {_tensor(known.get(name, name)): array for name, array in inputs.items()}
        wanted = [_tensor(known.get(name, name)) for name in outputs]
        return list(session.run(wanted, fed))


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


if __name__ == "__main__":
    serve(infer, tf.__version__)
