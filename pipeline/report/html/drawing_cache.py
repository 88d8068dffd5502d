"""Cache a fixture's renderings beside its files, until what they show changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from pipeline.cache.atomic import AtomicWriter
from pipeline.cache.digest import Digest, key_of
from pipeline.cache.json_decoding import decode_msgpack
from pipeline.config.case_shapes import shape_of
from pipeline.errors import PipelineError
from pipeline.execution.action import Job
from pipeline.report.html.draw import VERSION
from pipeline.report.html.drawings import Drawings
from pipeline.report.html.subject import Subject

_SECONDS = 120.0


class _Kept(msgspec.Struct, frozen=True):
    key: str
    drawn: Drawings


def drawing(
    subject: Subject,
    digest: Callable[[Path], Digest],
    run: Callable[[Job], None],
    atomic_write: AtomicWriter,
    folder: Path,
) -> Drawings | None:
    """Return the renderings of a fixture's current files; None if it has none.

    ``run`` runs the recipe ``draw``; ``folder`` is an empty folder for its output.
    Raises PipelineError and OSError.
    """
    inputs = {label: path for label, path in _inputs(subject).items() if path.is_file()}
    if not any(label.startswith(("tensor.", "xml")) for label in inputs):
        return None
    parameters: dict[str, Any] = {
        "cases": {
            case: {
                name: {
                    **_plain(tensor),
                    "dims": list(shape_of(tensor, subject.config.model.inputs[name])),
                }
                for name, tensor in given.items()
            }
            for case, given in subject.config.tensor.items()
        }
    }
    key = key_of(
        {
            "version": VERSION,
            "parameters": parameters,
            "inputs": {label: digest(path).sha256 for label, path in inputs.items()},
        }
    )
    with suppress(OSError, msgspec.MsgspecError, RecursionError):
        kept = decode_msgpack(subject.drawn.read_bytes(), _Kept)
        if kept.key == key:
            return kept.drawn
    target = folder / "drawn"
    run(Job(inputs=inputs, outputs={"drawn": target}, parameters=parameters, scratch=folder))
    drawn = decode_msgpack(target.read_bytes(), Drawings)
    # If it cannot be cached, it is rendered again next time.
    with suppress(OSError, PipelineError), atomic_write(subject.drawn) as part:
        part.write_bytes(msgspec.msgpack.encode(_Kept(key, drawn)))
    return drawn


def _inputs(subject: Subject) -> Mapping[str, Path]:
    inputs = {"xml": subject.xml, "interface": subject.interface}
    if subject.weights.is_file():
        inputs["bin"] = subject.weights
    for case, tensors in subject.tensors.items():
        for name, path in tensors.items():
            inputs[f"tensor.{case}.{name}"] = path
            image = subject.config.tensor[case][name].image
            if image is not None and image in subject.sources:
                inputs[f"source.{case}.{name}"] = subject.sources[image]
        expect = subject.config.expect.get(case)
        labels = expect.labels if expect is not None else None
        if labels is not None and labels in subject.sources:
            inputs[f"labels.{case}"] = subject.sources[labels]
        if subject.verify_steps[case] in subject.current:
            for port, path in subject.outputs(case).items():
                inputs[f"output.{case}.{port}"] = path
    if not subject.xml.is_file() or not subject.weights.is_file():
        inputs.pop("xml", None)
    return inputs


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value)
    return {name: item for name, item in found.items() if item not in (None, (), [], {}, "")}
