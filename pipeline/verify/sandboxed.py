"""A case run in the sandbox: the guest sees only what is declared, and writes only its outputs."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.cache.objects import copy
from pipeline.config.schema import GuestRun
from pipeline.errors import Code, PipelineError
from pipeline.execution.byte_count import byte_count
from pipeline.execution.pool.worker_process import limited
from pipeline.execution.progress import no_progress
from pipeline.host.graph_registry import NamedGraph
from pipeline.host.host import Host, Outcome, Preopen
from pipeline.host.sandbox.guest_program import is_component

# What a guest may print, and write beside its outputs.
_SPARE_BYTES = 64 << 20
_TAIL_BYTES = 4000
_TAIL_LINES = 8
_LINE = 200
_NAMES = 5
# By which functions of wasi-nn a guest gets what it writes.
_CALLS = {"guest": ("compute", "get_output"), "component": ("compute", "tensor.data")}
# Time for a host to end by itself, before the process is ended with it.
_GRACE_SECONDS = 10.0


def infer_in_sandbox(
    guest: Path,
    model: Sequence[Path],
    given: Iterable[Path],
    cases: Sequence[str],
    run: GuestRun,
    outputs: Mapping[str, int],
    scratch: Path,
    where: str,
    on_message: Callable[[str], None] = no_progress,
) -> Path:
    """Run a guest on ``cases`` and return the folder with the files that it wrote.

    ``given`` are the files that it sees as ``fixture``, with the xml and bin of ``model`` unless it
    loads those by their name, and it sees nothing else: not what an earlier run has written.
    ``outputs`` are the files that it must leave in ``out``, with their sizes in bytes; anything
    else there, or a link in place of one, is refused, since whatever reads it later would follow
    it. ``on_message`` receives each call that the host refused. Raises PipelineError (GUEST_FAILED,
    VERIFY, and those of ``Host.run``).
    """
    outcome, out, streams = run_case(
        guest, model, given, cases, run, sum(outputs.values()), scratch, on_message
    )
    if outcome.exit_code != 0:
        raise _failed(guest, outcome, run, ", ".join(cases), streams.stderr, where)
    _check_left(guest, out, outputs, where)
    for name in _CALLS[role(guest)]:
        if not outcome.succeeded.get(name):
            raise PipelineError(
                Code.VERIFY,
                f"The {role(guest)} wrote outputs without a single {name}.",
                where=where,
                expected=f"what the host gave it, by {name}",
                hint="The guest must run the inference, not copy the expected output.",
            )
    return out


class Streams(NamedTuple):
    """The files with what a guest printed."""

    stdout: Path
    stderr: Path


def run_case(
    guest: Path,
    model: Sequence[Path],
    given: Iterable[Path],
    cases: Sequence[str],
    run: GuestRun,
    size: int,
    scratch: Path,
    on_message: Callable[[str], None] = no_progress,
) -> tuple[Outcome, Path, Streams]:
    """Run a guest as infer_in_sandbox does; return how it ended, its ``out``, and its streams.

    ``size`` is that of its outputs in bytes, beside which it may write some more. Raises
    PipelineError, as ``Host.run`` does.
    """
    fixture, out = scratch / "fixture", scratch / "out"
    fixture.mkdir()
    out.mkdir()
    args = tuple(cases)
    graphs: tuple[NamedGraph, ...] = ()
    if run.load == "name":
        name = model[0].stem
        graphs = (NamedGraph(name, scratch / "graph"),)
        args = ("--graph", name, *cases)
        graphs[0].folder.mkdir()
    for path in given:
        copy(path, fixture / path.name)
    for path in model:
        copy(path, (graphs[0].folder if graphs else fixture) / path.name)
    streams = Streams(scratch / "stdout", scratch / "stderr")
    with Host(on_message=on_message) as host, limited(run.seconds + _GRACE_SECONDS):
        outcome = host.run(
            guest,
            args=args,
            graphs=graphs,
            dirs=(
                Preopen(host=fixture, guest="fixture"),
                Preopen(host=out, guest="out", writable=True),
            ),
            seconds=run.seconds,
            memory=byte_count(run.memory),
            disk=size + _SPARE_BYTES,
            stdout=streams.stdout,
            stderr=streams.stderr,
        )
    return outcome, out, streams


def role(wasm: Path) -> str:
    """Return what errors call a guest: a fixture may have it as a component too."""
    return "component" if is_component(wasm) else "guest"


def _failed(
    guest: Path, outcome: Outcome, run: GuestRun, case: str, stderr: Path, where: str
) -> PipelineError:
    hint = "See the output of the guest and of the host below."
    if outcome.memory > 0.9 * byte_count(run.memory):
        used = f"{outcome.memory // 2**20} of the {run.memory} of memory"
        hint = f"The guest used {used} that its config allows."
    with stderr.open("rb") as stream:
        stream.seek(max(0, stderr.stat().st_size - _TAIL_BYTES))
        printed = stream.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    lines = [*printed[-_TAIL_LINES:], *outcome.messages[-_TAIL_LINES:]]
    return PipelineError(
        Code.GUEST_FAILED,
        f"The {role(guest)} {run.program} failed on case {case[:_LINE]}.",
        where=where,
        expected="exit code 0",
        found=f"exit code {outcome.exit_code}",
        hint=hint,
        detail="\n".join(line[:_LINE] for line in lines),
    )


def _check_left(guest: Path, out: Path, outputs: Mapping[str, int], where: str) -> None:
    for file, size in outputs.items():
        found = _bytes_of(out / file)
        if found != f"{size} bytes":
            raise PipelineError(
                Code.VERIFY,
                f"The {role(guest)} did not write its output {file} in full.",
                where=where,
                expected=f"{size} bytes",
                found=found,
            )
    others = sorted(entry.name for entry in out.iterdir() if entry.name not in outputs)
    if others:
        named = ", ".join(ascii(name) for name in others[:_NAMES])
        raise PipelineError(
            Code.VERIFY,
            f"The {role(guest)} wrote other files than its outputs.",
            where=where,
            expected=", ".join(outputs),
            found=f"also {named}" + (f" and {len(others) - _NAMES} more" * (len(others) > _NAMES)),
        )


def _bytes_of(path: Path) -> str:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return "no file"
    if not stat.S_ISREG(status.st_mode):
        return "a link or folder"
    if status.st_nlink != 1:
        return "one file under several names"
    return f"{status.st_size} bytes"
