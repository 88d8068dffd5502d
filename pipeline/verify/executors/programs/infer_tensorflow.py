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
    """Run the graph ``graph``, or the SavedModel made of all files."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session() as session:
        if "graph" in files:
            definition = tf.compat.v1.GraphDef.FromString(files["graph"].read_bytes())
            tf.import_graph_def(definition, name="")
        else:
            for member, path in files.items():
                place = Path("model", member)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
            tf.compat.v1.saved_model.load(session, ["serve"], "model")
        fed = {_tensor(name): array for name, array in inputs.items()}
        return list(session.run([_tensor(name) for name in outputs], fed))


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


if __name__ == "__main__":
    serve(infer, tf.__version__)
