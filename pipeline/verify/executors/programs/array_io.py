"""How arrays come into a program that infers with a framework, and how they leave it.

Runs on the Pythons of locked environments too, so it keeps to what Python 3.9 knows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy


class Order(NamedTuple):
    """What is asked: the answers to each of ``draws``, which are inputs by name.

    With ``measure`` also one to the first draw without graph optimisation, from a framework that
    has such a way.
    """

    files: dict[str, Path]
    draws: list[dict[str, Any]]
    outputs: list[str]
    architecture: str | None
    seed: int | None
    measure: bool


Infer = Callable[[Order], Iterator[list[Any]]]


def serve(infer: Infer, version: str, levels: Callable[[Order], list[bool]] | None = None) -> None:
    """Write what ``infer`` yields: for each answer its arrays, in the order of the outputs.

    ``levels`` returns which outputs hold the levels of a quantised network.
    """
    given = json.loads(sys.argv[1])
    names = given["inputs"]
    with numpy.load("inputs.npz", allow_pickle=False) as stored:
        draws = [
            {name: stored[f"arr_{draw * len(names) + at}"] for at, name in enumerate(names)}
            for draw in range(given["draws"])
        ]
    request = Order(
        {label: Path(path) for label, path in given["files"].items()},
        draws,
        given["outputs"],
        given["architecture"],
        given["seed"],
        given["measure"],
    )
    try:
        arrays = [numpy.asarray(array) for answer in infer(request) for array in answer]
        marks = levels(request) if levels else []
    except Exception as error:  # Whatever the framework raises; its traceback helps nobody.
        sys.exit(str(error)[-2000:] or type(error).__name__)
    numpy.savez(
        "outputs.npz",
        *arrays,
        version=numpy.array(version),
        count=numpy.array(len(arrays)),
        levels=numpy.array(marks, bool),
    )
