"""The step ``verify``: a case run in the sandbox, and its outputs compared with three others."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import convert_value, decode_json
from pipeline.cache.objects import copy
from pipeline.config.case_shapes import shape_of
from pipeline.config.model_tables import Model
from pipeline.config.schema import Expect, GuestRun
from pipeline.config.tensor_tables import Tensor
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert.request import Interface, Port
from pipeline.tensor.text_lines import read_lines
from pipeline.verify import evidence
from pipeline.verify.compare import bound_at
from pipeline.verify.component_run import unequal_component, unmet_component_printing
from pipeline.verify.descriptor import output_files, output_spec
from pipeline.verify.detections import picture_size
from pipeline.verify.expectation import labels_of, position, ranking, unmet_expectations
from pipeline.verify.expected_array import expected_files
from pipeline.verify.failed_case import failed_case, pairs
from pipeline.verify.golden import disagreements, run_reference_executor
from pipeline.verify.input_pictures import write_pictures
from pipeline.verify.native import infer_natively
from pipeline.verify.onnx_data_set import write_data_set
from pipeline.verify.printed import is_printed, unmet_printing
from pipeline.verify.sandboxed import infer_in_sandbox

_START_SECONDS = 60.0


def verify(job: Job) -> None:
    """Recipe: run one case of a fixture in the sandbox and check what comes out.

    The guest's bytes must equal those of a separate native process, unless what it prints is
    expected instead; its component must give the same; they must agree with an independent
    executor of the source model; what the config expects must hold. Inputs: the files of the
    fixture's folder (``descriptor``, ``guest``, its ``component`` if there is one, ``xml``,
    ``bin``, ``tensor.<input>``, ``expected.<kind>``), ``interface``, ``golden.<file>``, ``labels``,
    and
    ``picture.<input>``, the sources of those that are made from one. Output: the folder
    ``evidence/``. Raises PipelineError for whatever fails first, with the rest in its detail, and
    what came out as its evidence (a FailedCase).
    """
    case = str(job.parameters["case"])
    where = str(job.parameters["where"])
    whole = decode_json(job.inputs["interface"].read_bytes(), Interface)
    interface = whole.of_case(case)
    run = convert_value(job.parameters["guest"], GuestRun)
    folder = job.outputs["evidence/"]
    files = output_files(interface, case)
    seconds: dict[str, float] = {}

    started = time.perf_counter()
    given = [path for label, path in job.inputs.items() if _is_given(label)]
    model = [job.inputs["xml"], job.inputs["bin"]]
    sizes = {file: _size(port) for port, file in zip(interface.outputs, files, strict=True)}
    expect = convert_value(job.parameters["expect"], Expect)
    guest, printed = job.inputs["guest"], is_printed(expect)
    failures: list[PipelineError] = []
    if printed:
        failures += unmet_printing(
            guest, model, given, case, run, expect, job.scratch, where, job.progress
        )
    else:
        out = infer_in_sandbox(
            guest, model, given, [case], run, sizes, job.scratch, where, job.progress
        )
    seconds["guest"] = time.perf_counter() - started

    if component := job.inputs.get("component"):
        started = time.perf_counter()
        asked = component, model, given, case, run
        if printed:
            failures += unmet_component_printing(*asked, expect, job.scratch, where, job.progress)
        else:
            failures += unequal_component(*asked, sizes, out, job.scratch, where, job.progress)
        seconds["component"] = time.perf_counter() - started

    started = time.perf_counter()
    native = job.scratch / "native"
    native.mkdir()
    tensors = [
        job.inputs[f"tensor.{next(name for name in port.names if f'tensor.{name}' in job.inputs)}"]
        for port in interface.inputs
    ]
    # The limit is the guest's; that process has to start and to import openvino first.
    limit = run.seconds + _START_SECONDS
    shapes = [port.shape for port in interface.inputs]
    infer_natively(job.inputs["xml"], tensors, shapes, [native / file for file in files], limit)
    seconds["native"] = time.perf_counter() - started
    if printed:
        out = native
    else:
        failures += _unequal(out, native, files, where)

    started = time.perf_counter()
    outputs = {
        port.name: array_of(out / file, port)
        for port, file in zip(interface.outputs, files, strict=True)
    }
    inputs = {
        port.name: array_of(path, port)
        for port, path in zip(interface.inputs, tensors, strict=True)
    }
    golden, theirs = run_reference_executor(job, interface, inputs, outputs)
    seconds["golden"] = time.perf_counter() - started
    failures += disagreements(golden, where)

    labels = labels_of(read_lines(job.inputs["labels"], where)) if "labels" in job.inputs else ()
    failures += unmet_expectations(
        expect,
        outputs,
        labels,
        where,
        size=picture_size((tensor.layout, shape) for _, tensor, shape in _pictures(job)),
        files={kind: job.inputs[f"expected.{kind}"] for kind in expected_files(case, expect)},
    )
    wanted = expect.output or interface.outputs[0].name
    if failures:
        error = _joined(failures)
        alone = {
            port.name: array_of(native / file, port)
            for port, file in zip(interface.outputs, files, strict=True)
        }
        error.evidence = failed_case(
            [
                *pairs(outputs, alone, "native inference", differing=True),
                *pairs(outputs, theirs, f"{golden.executor} {golden.version}"),
            ],
            outputs.get(wanted),
            expect.average,
            labels,
            _expected(expect),
        )
        raise error

    judged = outputs[wanted]
    bound = bound_at(golden.outputs[wanted], judged, golden.tolerance, golden.ulps)
    for file in files:
        copy(out / file, folder / file)
    write_data_set(
        folder,
        list(zip(interface.inputs, tensors, strict=True)),
        [(port, out / file) for port, file in zip(interface.outputs, files, strict=True)],
    )
    _write_pictures(job, folder)
    report = evidence.Evidence(
        case=case,
        native_equal=not printed,
        printed=printed,
        component_equal=component is not None,
        golden=golden,
        top=tuple(
            evidence.RankedValue(
                index=index,
                label=labels[index] if index < len(labels) else "",
                value=value,
                bound=bound,
                place=position(index, judged.shape, expect.average),
            )
            for index, value in ranking(judged, expect.average)[:5]
        ),
        expected=_expected(expect),
        outputs={file: Digest.of_file(out / file).sha256 for file in files},
        seconds={name: round(value, 4) for name, value in seconds.items()},
        files=_digests(folder, files),
        machine=_machine(),
    )
    (folder / evidence.REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report)))


def _pictures(job: Job) -> Iterator[tuple[str, Tensor, tuple[int, ...]]]:
    """Yield each input that is an image: its name, its tensor's table, and its shape."""
    tables = cast(Mapping[str, Any], job.parameters["pictures"])
    inputs = convert_value(job.parameters["model"], Model).inputs
    for name, table in tables.items():
        tensor = convert_value(table, Tensor)
        yield name, tensor, shape_of(tensor, inputs[name])


def _write_pictures(job: Job, folder: Path) -> None:
    given = [label.removeprefix("tensor.") for label in job.inputs if label.startswith("tensor.")]
    for name, tensor, shape in _pictures(job):
        write_pictures(
            folder,
            str(given.index(name)),
            job.inputs[f"picture.{name}"],
            job.inputs[f"tensor.{name}"],
            tensor,
            shape,
        )


def _digests(folder: Path, outputs: Sequence[str]) -> dict[str, str]:
    """Return the digest of each file of the evidence but the outputs."""
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {
        name: Digest.of_file(path).sha256
        for name, path in paths.items()
        if path.is_file() and name not in outputs
    }


def _is_given(label: str) -> bool:
    return label == "descriptor" or label.startswith("tensor.")


def _unequal(ours: Path, native: Path, files: Sequence[str], where: str) -> list[PipelineError]:
    return [
        PipelineError(
            Code.VERIFY,
            f"The guest's output {file} differs from the native inference.",
            where=where,
            expected=f"sha256 {Digest.of_file(native / file).sha256}",
            found=f"sha256 {Digest.of_file(ours / file).sha256}",
            hint="The guest must write exactly what get_output returned for this input.",
        )
        for file in files
        if (ours / file).read_bytes() != (native / file).read_bytes()
    ]


def _joined(failures: Sequence[PipelineError]) -> PipelineError:
    first, *rest = failures
    others = [line for failure in rest for line in ("", *failure.render().splitlines())]
    first.detail = "\n".join([*first.detail.splitlines(), *others])
    return first


def array_of(path: Path, port: Port) -> Any:
    """Return a raw file as the array of an input or output; raises ValueError for its size."""
    import numpy

    return numpy.fromfile(path, ELEMENT_TYPES[port.type].dtype).reshape(port.shape)


def _size(port: Port) -> int:
    return output_spec(port).size


def _expected(expect: Expect) -> str:
    parts = []
    if expect.top1 is not None:
        parts.append(f"top 1 is {expect.top1}")
    if expect.value is not None:
        parts.append(f"with {expect.value:g} within {expect.within:g}")
    if expect.strongest:
        parts.append(f"strongest are {', '.join(map(str, expect.strongest))}")
    if expect.tokens:
        parts.append(_declared(len(expect.tokens), "token", "tokens"))
    if expect.detections:
        parts.append(_declared(len(expect.detections.boxes), "box", "boxes"))
    if expect.mask:
        parts.append(f"each class of the mask overlaps by {expect.mask.overlap:g}")
    if expect.vector:
        parts.append(f"the cosine to the stored vector is at least {expect.vector.cosine:g}")
    if is_printed(expect):
        parts.append(f"the guest exits with {expect.exit or 0}")
    if expect.stdout is not None:
        parts.append("and prints the declared lines")
    if expect.golden_only:
        parts.append("what the golden executor gives")
    return ", ".join(parts)


def _declared(count: int, one: str, several: str) -> str:
    if count == 1:
        return f"the {one} is the declared one"
    return f"the {count} {several} are those declared"


def _machine() -> evidence.Machine:
    import openvino

    device = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
    return evidence.Machine(
        system=platform.platform(terse=True),
        processor=str(device),
        python=platform.python_version(),
        openvino=_version("openvino"),
        wasmtime=_version("wasmtime"),
    )


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
