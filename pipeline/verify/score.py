"""The step ``score``: a shard's tensors classified natively and by the guest, with equal bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from pipeline.cache.json_decoding import convert_value, decode_json
from pipeline.config.schema import GuestRun
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.progress import Progress
from pipeline.model.convert.request import Interface
from pipeline.tensor.dataset.dataset_index import lines
from pipeline.verify.descriptor import descriptor_text, output_files, output_spec
from pipeline.verify.expectation import ranking
from pipeline.verify.native import infer_natively
from pipeline.verify.sandboxed import infer_in_sandbox

_START_SECONDS = 60.0
# The guest `classify` takes 64 cases at a time.
_AT_ONCE = 50


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The five classes that came first for a picture, the strongest first; of ``classes`` in all.

    ``native`` is from the outputs of a process that has openvino alone, ``guest`` from those that
    the guest wrote.
    """

    picture: str
    classes: int
    native: list[int]
    guest: list[int]


@dataclass(frozen=True)
class _Task:
    """What is inferred, with what: ``judged`` is the index of the output that is looked at."""

    job: Job
    interface: Interface
    run: GuestRun
    judged: int
    where: str


def score(job: Job) -> None:
    """Recipe: write the ``scores`` of a shard, one JSON object a line.

    Inputs: ``xml``, ``bin``, ``guest``, ``interface``, and the shard's ``tensors`` and ``index``.
    Parameters: ``where``, ``guest`` (the config's table; its seconds are for one picture) and
    ``output``, the name of the output that is looked at, or None for the first. Raises
    PipelineError (VERIFY, GUEST_FAILED and those of the host), also where an output of the guest
    is not the native one.
    """
    where = str(job.parameters["where"])
    interface = decode_json(job.inputs["interface"].read_bytes(), Interface)
    # All pictures have the input's shape, whatever they are called.
    interface = msgspec.structs.replace(interface, cases={})
    judged = _judged(interface, job.parameters["output"], where)
    run = convert_value(job.parameters["guest"], GuestRun)
    task = _Task(job, interface, run, judged, where)
    pictures = [line.picture for line in lines(job.inputs["index"]) if not line.skipped]
    encoder = msgspec.json.Encoder()
    with job.outputs["scores"].open("wb") as stream:
        for count, found in enumerate(_scores(task, pictures) if pictures else (), 1):
            stream.write(encoder.encode(found) + b"\n")
            progress = Progress(count, len(pictures), "pictures")
            job.progress(f"{count:,} of {len(pictures):,} pictures", progress)


def _scores(task: _Task, pictures: Sequence[str]) -> Iterator[Score]:
    native = [task.job.scratch / f"native{n}" for n in range(len(task.interface.outputs))]
    seconds = task.run.seconds * len(pictures) + _START_SECONDS
    tensors = task.job.inputs["tensors"]
    shapes = [port.shape for port in task.interface.inputs]
    infer_natively(task.job.inputs["xml"], [tensors], shapes, native, seconds, len(pictures))
    specs = [output_spec(port) for port in task.interface.outputs]
    with ExitStack() as stack:
        given = stack.enter_context(tensors.open("rb"))
        ours = [stack.enter_context(path.open("rb")) for path in native]
        for start in range(0, len(pictures), _AT_ONCE):
            some = pictures[start : start + _AT_ONCE]
            scratch = task.job.scratch / f"guest{start}"
            for picture, written in zip(some, _in_guest(task, given, some, scratch), strict=True):
                expected = [
                    stream.read(spec.size) for stream, spec in zip(ours, specs, strict=True)
                ]
                theirs = [path.read_bytes() for path in written]
                if theirs != expected:
                    raise PipelineError(
                        Code.VERIFY,
                        "The guest's output for a picture differs from the native inference.",
                        where=f"{task.where}: {picture}",
                        hint="The guest must write what get_output returned for this input.",
                    )
                values = _values(expected[task.judged], specs[task.judged].type)
                yield Score(
                    picture=picture,
                    classes=int(values.size),
                    native=_first(values),
                    guest=_first(_values(theirs[task.judged], specs[task.judged].type)),
                )
            shutil.rmtree(scratch)


def _in_guest(
    task: _Task, tensors: BinaryIO, pictures: Sequence[str], scratch: Path
) -> list[list[Path]]:
    """Run the guest over the next tensors; return the files of each picture's outputs."""
    job, [port] = task.job, task.interface.inputs
    given = scratch / "given"
    given.mkdir(parents=True)
    size = output_spec(port).size
    # A guest may be unable to read a picture's own name.
    names = {f"p{number}": f"p{number}.raw" for number in range(len(pictures))}
    for name in names.values():
        (given / name).write_bytes(tensors.read(size))
    cases = {case: {port.names[0]: name} for case, name in names.items()}
    files = {case: output_files(task.interface, case) for case in cases}
    model = [job.inputs["xml"], job.inputs["bin"]]
    descriptor = descriptor_text(task.interface, [path.name for path in model], cases)
    (given / "fixture.txt").write_text(descriptor)
    sizes = {
        file: output_spec(output).size
        for case in cases
        for output, file in zip(task.interface.outputs, files[case], strict=True)
    }
    run = msgspec.structs.replace(task.run, seconds=task.run.seconds * len(pictures))
    out = infer_in_sandbox(
        job.inputs["guest"],
        model,
        sorted(given.iterdir()),
        list(cases),
        run,
        sizes,
        scratch,
        task.where,
        job.progress,
    )
    return [[out / file for file in files[case]] for case in cases]


def _judged(interface: Interface, name: object, where: str) -> int:
    names = [port.name for port in interface.outputs]
    if name is None:
        return 0
    if name not in names:
        message = f"The output {name!r} for the accuracy does not exist."
        hint = f"The outputs are {', '.join(names)}."
        raise PipelineError(Code.VERIFY, message, where=where, hint=hint)
    return names.index(str(name))


def _values(data: bytes, kind: str) -> Any:
    import numpy

    return numpy.frombuffer(data, ELEMENT_TYPES[kind].dtype)


def _first(values: Any) -> list[int]:
    return [index for index, _ in ranking(values)]
