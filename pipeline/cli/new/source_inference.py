"""Run the source model on each case in its own framework, before anything is converted."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.cli.new.found_boxes import FoundBoxes, found_boxes
from pipeline.config.case_shapes import shape_of
from pipeline.config.schema import Fixture
from pipeline.config.tensor_tables import sources_of
from pipeline.element_types import ELEMENT_TYPES
from pipeline.execution.action import Job
from pipeline.scratch import scratch_folder
from pipeline.verify.detections import picture_size

_SECONDS = 300.0
_MEMORY = 8 << 30
# Usual class counts; other outputs are classes only if their values sum to one.
_CLASSES = (10, 100, 1000, 1001, 21841)


class TopClass(msgspec.Struct, frozen=True, kw_only=True):
    """The classification output of a model: its largest value, and the class of that.

    ``lead`` is the margin over the second largest value, ``of`` the number of classes, and
    ``several`` whether the model has other outputs. ``bound`` is the allowed difference of an IR:
    a multiple of the model's noise floor.
    """

    output: str
    top1: int
    value: float
    lead: float
    of: int
    several: bool
    bound: float = 0.0


class SourceReply(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of one case: their magnitude, and the predicted class if there is one.

    ``least`` is the smallest of the outputs' peak magnitudes; ``finite`` is whether no value is NaN
    or infinite. ``boxes`` are those of a detector.
    """

    least: float
    finite: bool
    top_class: TopClass | None
    boxes: FoundBoxes | None = None


def run_source_model(
    fixture: Fixture,
    outputs: Sequence[str],
    files: Mapping[str, Path],
    sources: Mapping[str, Path],
    *,
    labelled: bool,
    quantised: bool,
    bf16: bool,
) -> dict[str, SourceReply]:
    """Return the golden executor's outputs for each case.

    It runs in its own process, within limits. ``files`` are the model's, ``sources`` those of
    the tensors. Empty for an executor that is not installed here. Raises PipelineError (VERIFY,
    TENSOR, TIME_LIMIT, MEMORY_LIMIT, WORKER) if it cannot run the model.
    """
    from pipeline.execution.pool.worker_pool import WorkerPool
    from pipeline.verify.executors import EXECUTORS

    if EXECUTORS[fixture.golden.executor].toolchain is not None:
        return {}
    with scratch_folder() as scratch:
        job = Job(
            inputs={
                **{f"file.{label}": path for label, path in files.items()},
                **{f"source.{name}": path for name, path in sources.items()},
            },
            outputs={"answers": scratch / "answers.json"},
            parameters={
                "fixture": msgspec.to_builtins(fixture),
                "outputs": list(outputs),
                "labelled": labelled,
                "quantised": quantised,
                "bf16": bf16,
            },
            scratch=scratch,
        )
        with WorkerPool(1) as workers:
            workers.run(infer_cases, job, seconds=_SECONDS, memory=_MEMORY)
        found = json.loads(job.outputs["answers"].read_bytes())
    return {case: convert_value(each, SourceReply) for case, each in found.items()}


def infer_cases(job: Job) -> None:
    """Recipe: run a model on its cases and write the ``answers`` as JSON.

    Inputs: ``file.<label>`` of the model, ``source.<name>`` of the tensors. Parameters:
    ``fixture``, ``outputs``, and whether there are labels (``labelled``) and the model is
    ``quantised`` or has inputs or outputs of ``bf16``.
    """
    from pipeline.model.convert.signatures import with_signature
    from pipeline.verify.executors import EXECUTORS
    from pipeline.verify.executors.reference_executor import InferenceRequest
    from pipeline.verify.noise_floor import moved

    fixture = convert_value(job.parameters["fixture"], Fixture)
    outputs = cast("list[str]", job.parameters["outputs"])
    answers = {}
    # No case has such a name.
    model = job.scratch / ".model"
    model.mkdir()
    given_files = {
        label.removeprefix("file."): path
        for label, path in job.inputs.items()
        if label.startswith("file.")
    }
    files = with_signature(fixture.model.framework, given_files, fixture.model.signature, model)
    for case in fixture.tensor:
        folder = job.scratch / case
        folder.mkdir()
        golden = fixture.golden
        given = {
            golden.inputs.get(name, name): _tensor(job, fixture, case, name)
            for name in fixture.tensor[case]
        }
        result = EXECUTORS[fixture.golden.executor].run(
            InferenceRequest(
                files=files,
                inputs=given,
                outputs=[golden.outputs.get(name, name) for name in outputs],
                architecture=None,
                folder=folder,
                python=Path(sys.executable),
                seconds=_SECONDS,
                moved=moved(
                    given,
                    quantised=bool(job.parameters["quantised"]),
                    bf16=bool(job.parameters["bf16"]),
                ),
            )
        )
        arrays = dict(zip(outputs, result.outputs, strict=True))
        others = [dict(zip(outputs, each, strict=True)) for each in result.others]
        reply = _reply(arrays, others, job.parameters["labelled"])
        if reply.finite and reply.top_class is None:
            inputs = fixture.model.inputs
            size = picture_size(
                (tensor.layout, shape_of(tensor, inputs[name]))
                for name, tensor in fixture.tensor[case].items()
            )
            boxes = found_boxes(arrays, size)
            reply = msgspec.structs.replace(reply, boxes=boxes)
        answers[case] = msgspec.to_builtins(reply)
    job.outputs["answers"].write_text(json.dumps(answers))


def _reply(
    outputs: Mapping[str, Any], others: Sequence[Mapping[str, Any]], labelled: object
) -> SourceReply:
    import numpy

    from pipeline.verify.noise_floor import noise_floor
    from pipeline.verify.tolerance import FACTOR, last_places

    peaks = [float(numpy.abs(numpy.asarray(a, numpy.float64)).max()) for a in outputs.values()]
    finite = all(numpy.isfinite(peaks))
    top_class = classes(outputs, labelled) if finite else None
    if top_class is not None:
        values = numpy.asarray(outputs[top_class.output], numpy.float64).ravel()
        noise = noise_floor(values, [each[top_class.output] for each in others])
        top_class = msgspec.structs.replace(
            top_class, bound=float((FACTOR * noise + last_places(values)).max())
        )
    return SourceReply(least=min(peaks) if finite else 0.0, finite=finite, top_class=top_class)


def _tensor(job: Job, fixture: Fixture, case: str, name: str) -> Any:
    """Return the source model's input: the fixture's tensor, as an array."""
    import numpy

    from pipeline.tensor.make_tensor import make_tensor
    from pipeline.verify.golden import source_input

    tensor, given = fixture.tensor[case][name], fixture.model.inputs[name]
    made = job.scratch / f"{case}.raw"
    make_tensor(
        Job(
            inputs={
                ".".join(path).removesuffix(".source"): job.inputs[f"source.{source}"]
                for path, source in sources_of(tensor).items()
            },
            outputs={"tensor": made},
            parameters={"tensor": msgspec.to_builtins(tensor), "dims": list(given.shape)},
            scratch=job.scratch,
            unkeyed={"name": f"tensor.{case}.{name}"},
        )
    )
    array = numpy.fromfile(made, ELEMENT_TYPES[tensor.type].dtype).reshape(given.shape)
    return source_input(array, given)


def classes(outputs: Mapping[str, Any], labelled: object) -> TopClass | None:
    """Return the prediction of the only classification output, or None if there is no such output.

    >>> import numpy
    >>> found = classes({"p": numpy.array([[0.1, 0.7, 0.2]]), "box": numpy.ones((1, 4))}, False)
    >>> found.output, found.top1, found.of
    ('p', 1, 3)
    """
    import numpy

    telling = []
    for name, array in outputs.items():
        values = numpy.asarray(array, numpy.float64)
        long = [size for size in values.shape if size > 1]
        if len(long) != 1 or not numpy.isfinite(values).all():
            continue
        shares = values.min() >= 0 and abs(values.sum() - 1) < 1e-2
        if shares or long[0] in _CLASSES or labelled:
            telling.append((name, values.ravel()))
    if len(telling) != 1:
        return None
    [(name, values)] = telling
    order = numpy.argsort(-values, kind="stable")
    return TopClass(
        output=name,
        top1=int(order[0]),
        value=float(values[order[0]]),
        lead=float(values[order[0]] - values[order[1]]),
        of=len(values),
        several=len(outputs) > 1,
    )
