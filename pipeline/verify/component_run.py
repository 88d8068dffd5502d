"""A fixture's component run on a case: it must answer as the guest does, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from pipeline.cache.digest import Digest
from pipeline.config.schema import Expect, GuestRun
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import no_progress
from pipeline.verify.printed import unmet_printing
from pipeline.verify.sandboxed import infer_in_sandbox


def unequal_component(
    component: Path,
    model: Sequence[Path],
    given: Sequence[Path],
    case: str,
    run: GuestRun,
    outputs: Mapping[str, int],
    guest: Path,
    scratch: Path,
    where: str,
    on_message: Callable[[str], None] = no_progress,
) -> list[PipelineError]:
    """Run a component as infer_in_sandbox runs a guest; return an error for each other output.

    ``guest`` is the folder with what the guest wrote. Raises PipelineError, as infer_in_sandbox.
    """
    place = _place(scratch)
    out = infer_in_sandbox(component, model, given, [case], run, outputs, place, where, on_message)
    return [
        PipelineError(
            Code.VERIFY,
            f"The component's output {file} differs from the guest's.",
            where=where,
            expected=f"sha256 {Digest.of_file(guest / file).sha256}",
            found=f"sha256 {Digest.of_file(out / file).sha256}",
            hint=f"{component.name} must write what {run.program}.wasm writes for the same input.",
        )
        for file in outputs
        if (out / file).read_bytes() != (guest / file).read_bytes()
    ]


def unmet_component_printing(
    component: Path,
    model: Sequence[Path],
    given: Sequence[Path],
    case: str,
    run: GuestRun,
    expect: Expect,
    scratch: Path,
    where: str,
    on_message: Callable[[str], None] = no_progress,
) -> list[PipelineError]:
    """Run a component as unmet_printing runs a guest; return what of the same it misses."""
    # WASI 0.2 passes no other exit codes.
    alike = msgspec.structs.replace(expect, exit=expect.exit and min(expect.exit, 1))
    place = _place(scratch)
    return unmet_printing(component, model, given, case, run, alike, place, where, on_message)


def _place(scratch: Path) -> Path:
    place = scratch / "component"
    place.mkdir()
    return place
