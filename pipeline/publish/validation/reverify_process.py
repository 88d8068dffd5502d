"""One case of a folder inferred in the sandbox: `FOLDER CASE SCRATCH`, findings as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pipeline.cache.json_decoding import convert_value, decode_json
from pipeline.config.model_tables import Golden
from pipeline.config.schema import GuestRun
from pipeline.errors import PipelineError
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.read_manifest import read_manifest
from pipeline.verify import evidence
from pipeline.verify.compare import Difference, compare, compare_whole
from pipeline.verify.component_run import unequal_component, unmet_component_printing
from pipeline.verify.descriptor import output_files, output_spec
from pipeline.verify.detections import picture_size
from pipeline.verify.expectation import unmet_expectations
from pipeline.verify.expected_array import expected_files
from pipeline.verify.printed import is_printed, unmet_printing
from pipeline.verify.sandboxed import infer_in_sandbox
from pipeline.verify.tolerance import INT8, Tolerance, tolerance
from pipeline.verify.verify_case import array_of

_MOST_BYTES = 16 << 20
# For evidence of versions that measured no noise floor.
_UNMEASURED = Tolerance(absolute=1e-4, relative=1e-3)


class _Report(msgspec.Struct):
    golden: evidence.GoldenResult


def main(folder: Path, case: str, scratch: Path) -> None:
    """Write what is wrong with the case into ``scratch``."""
    manifest = read_manifest(folder)
    file = f"evidence/{case}"
    try:
        findings = list(_findings(folder, manifest, case, scratch, file))
    except PipelineError as error:
        findings = [Finding.of("inference", file, error)]
    except msgspec.ValidationError as error:
        findings = [
            Finding(
                kind="manifest",
                message="The manifest states what cannot be.",
                file="manifest.json",
                found=str(error),
            )
        ]
    (scratch / "findings.json").write_bytes(msgspec.json.encode(findings))


def _findings(
    folder: Path, manifest: Manifest, case: str, scratch: Path, file: str
) -> Iterator[Finding]:
    interface = manifest.model.interface.of_case(case)
    files = output_files(interface, case)
    sizes = {
        name: output_spec(port).size for port, name in zip(interface.outputs, files, strict=True)
    }
    given = [folder / "fixture.txt"]
    given += [folder / tensor.file for tensor in manifest.tensors[case].values()]
    run = convert_value(
        {
            "program": manifest.guest.program,
            "load": manifest.guest.load,
            "seconds": manifest.guest.seconds,
            "memory": manifest.guest.memory,
        },
        GuestRun,
    )
    guest = folder / f"{manifest.guest.program}.wasm"
    model = [folder / f"{manifest.stem}.{end}" for end in ("xml", "bin")]
    declared = manifest.guest.component
    component = folder / declared.file if declared else None
    expect = manifest.expected(case)
    if is_printed(expect):
        for error in unmet_printing(guest, model, given, case, run, expect, scratch, file):
            yield Finding.of("expect", file, error)
        if component is not None:
            for error in unmet_component_printing(
                component, model, given, case, run, expect, scratch, file
            ):
                yield Finding.of("expect", file, error)
        return
    out = infer_in_sandbox(
        guest,
        model,
        given,
        [case],
        run,
        sizes,
        scratch,
        file,
    )
    if component is not None:
        for error in unequal_component(
            component, model, given, case, run, sizes, out, scratch, file
        ):
            yield Finding.of("component", component.name, error)
    outputs: dict[str, Any] = {
        port.name: array_of(out / name, port)
        for port, name in zip(interface.outputs, files, strict=True)
    }
    for error in unmet_expectations(
        expect,
        outputs,
        (),
        file,
        size=picture_size((each.layout, each.dims) for each in manifest.tensors[case].values()),
        files={kind: folder / name for kind, name in expected_files(case, expect).items()},
    ):
        yield Finding.of("expect", file, error)
    kept_golden = _kept_golden(folder / file / evidence.REPORT)
    for port, name in zip(interface.outputs, files, strict=True):
        kept = folder / file / name
        if not kept.is_file():
            continue
        if kept.stat().st_size != sizes[name]:
            yield Finding(
                kind="evidence",
                message="The output that is kept has another size.",
                file=f"{file}/{name}",
                expected=f"{sizes[name]} bytes",
                found=f"{kept.stat().st_size} bytes",
            )
            continue
        theirs = array_of(kept, port)
        difference = _compared(outputs[port.name], theirs, port.name, kept_golden, manifest)
        if not difference.agrees:
            yield Finding(
                kind="evidence",
                message="The output that is kept is not what comes out.",
                file=f"{file}/{name}",
                expected=f"within {difference.bound:.3g}" if difference.bound else "equal numbers",
                found=difference.note or f"a difference of {difference.max_absolute:.3g}",
            )


def _kept_golden(report: Path) -> evidence.GoldenResult | None:
    """Return what the maker's machine measured; None where an older version did not."""
    try:
        with report.open("rb") as stream:
            return decode_json(stream.read(_MOST_BYTES), _Report).golden
    except (OSError, msgspec.DecodeError):
        return None


def _compared(
    ours: Any, kept: Any, name: str, golden: evidence.GoldenResult | None, manifest: Manifest
) -> Difference:
    """Compare two runs of one IR, each of which its own golden check bounds: hence twice."""
    found = golden.outputs.get(name) if golden else None
    if golden is None or found is None:
        usual = tolerance(Golden(executor="onnxruntime"), manifest.model.precision)
        given = manifest.golden
        allowed = msgspec.structs.replace(
            usual,
            absolute=given.absolute or _UNMEASURED.absolute,
            relative=max(usual.relative, given.relative or _UNMEASURED.relative),
        )
        whole = ours.dtype.kind != "f"
        return compare_whole(ours, kept) if whole else compare(ours, kept, allowed)
    if not found.bound:
        return compare_whole(ours, kept)
    # What int8 kernels lose depends on the processor.
    allowed = golden.tolerance if found.kernels is None else INT8
    return compare(ours, kept, allowed, ulps=golden.ulps, floor=found.noise, times=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
