"""How arrays come into a program that infers with a framework, and how they leave it.

Runs on the Pythons of locked environments too, so it keeps to what Python 3.9 knows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

Infer = Callable[[dict[str, Path], dict[str, Any], list[str], str | None], list[Any]]


def serve(infer: Infer, version: str) -> None:
    """Call ``infer(files, inputs, outputs, architecture)``, which returns arrays in that order."""
    order = json.loads(sys.argv[1])
    with numpy.load("inputs.npz", allow_pickle=False) as stored:
        inputs = {name: stored[f"arr_{index}"] for index, name in enumerate(order["inputs"])}
    files = {label: Path(path) for label, path in order["files"].items()}
    try:
        arrays = infer(files, inputs, order["outputs"], order["architecture"])
    except Exception as error:  # Whatever the framework raises; its traceback helps nobody.
        sys.exit(str(error)[-2000:] or type(error).__name__)
    numpy.savez("outputs.npz", *map(numpy.asarray, arrays), version=numpy.array(version))
