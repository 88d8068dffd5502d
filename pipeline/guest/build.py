"""The step ``guest``: compile sources to WebAssembly and audit the result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from pipeline.config.schema import LanguageName
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.containment import Containment, run_contained
from pipeline.execution.process import Finished
from pipeline.guest.imports import audit
from pipeline.guest.language import Build, CompileError, CompilerDiagnostic
from pipeline.guest.languages import LANGUAGES
from pipeline.source.fetch_source import fetch_source

_DETAIL_LINES = 20
_DETAIL_WIDTH = 200


def compile_guest(job: Job) -> None:
    """Recipe: compile a guest and audit its imports.

    Inputs: ``source.<n>`` and ``header.<n>``, compiled in one folder, so that they include each
    other by file name, and ``compiler.<name>``, files of the compiler. Outputs: ``wasm``, and
    ``imports`` as a JSON list. Parameters: ``language``, ``modules`` (allowed imports),
    ``seconds``, and ``compiler``: name → digests and size of a file that is fetched on demand.
    Unkeyed: ``kept``, a cache folder for compilers, and those of ``source.fetch``, with ``urls`` by
    name. Raises PipelineError: GUEST_BUILD with the compiler's first error, GUEST_IMPORTS,
    TIME_LIMIT, TOOLCHAIN, and the errors of ``source.fetch``.
    """
    data = compile_core(job)
    modules = cast(list[str], job.parameters["modules"])
    imports = audit(data, modules, job.outputs["wasm"].name)
    job.outputs["wasm"].write_bytes(data)
    job.outputs["imports"].write_text(json.dumps(imports) + "\n")


def compile_core(job: Job) -> bytes:
    """Return the core module of a guest, compiled as ``compile_guest`` does, without an audit."""
    language = LANGUAGES[cast(LanguageName, job.parameters["language"])]
    # Copied to one folder, so that no path of the project gets into the wasm.
    folder = job.scratch / "guest"
    folder.mkdir()
    sources, headers = ([*_labelled(job, kind).values()] for kind in ("source", "header"))
    origins = _copied([*sources, *headers], folder)
    build = Build(
        folder=folder,
        sources=[path.name for path in sources],
        headers=[path.name for path in headers],
        wasm=job.scratch / "guest.wasm",
        compiler=_labelled(job, "compiler"),
        scratch=job.scratch,
        kept=Path(str(job.unkeyed["kept"])),
        fetch=lambda name, path: _fetch(job, name, path),
        execute=lambda command, allowed, env: _execute(job, command, allowed, folder, env),
    )
    job.progress("compiling (the first time, some compilers build their library)")
    try:
        language.compile(build)
    except CompileError as refused:
        raise _compile_error(
            refused, language.diagnostic(refused.output), origins, sources
        ) from None
    return build.wasm.read_bytes()


def _labelled(job: Job, kind: str) -> dict[str, Path]:
    return {
        label.removeprefix(f"{kind}."): path
        for label, path in job.inputs.items()
        if label.startswith(f"{kind}.")
    }


def _copied(paths: Sequence[Path], folder: Path) -> Mapping[str, Path]:
    """Copy files to a folder; return the origin of each name."""
    origins: dict[str, Path] = {}
    for path in paths:
        if path.name in origins:
            raise PipelineError(
                Code.GUEST_BUILD,
                "Two files of the guest have the same name.",
                where=str(path),
                found=str(origins[path.name]),
                hint="Rename one: they are compiled in one folder.",
            )
        origins[path.name] = path
        shutil.copyfile(path, folder / path.name)
    return origins


def _fetch(job: Job, name: str, path: Path) -> None:
    files = cast(Mapping[str, Mapping[str, object]], job.parameters.get("compiler", {}))
    guest = job.outputs["wasm"].stem
    if name not in files:
        raise PipelineError(
            Code.CONFIG,
            f"The config of {guest} does not declare the compiler's file {name}.",
            expected=f"[compiler.{name}] in the guest's config",
            found=", ".join(files),
            hint="See the configs of other guests in this language.",
        )
    urls = cast(Mapping[str, Sequence[str]], job.unkeyed["urls"])[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    fetch_source(
        replace(
            job,
            inputs={},
            outputs={"file": path},
            parameters={"name": f"{guest}.{name}", **files[name]},
            unkeyed={**job.unkeyed, "urls": urls},
        )
    )


def _execute(
    job: Job, command: Sequence[str], allowed: Containment, folder: Path, env: Mapping[str, str]
) -> Finished:
    seconds = float(str(job.parameters["seconds"]))
    try:
        return run_contained(command, allowed, seconds=seconds, cwd=folder, env=env)
    except PipelineError as error:
        if error.code is not Code.TIME_LIMIT:
            raise
        raise PipelineError(
            Code.TIME_LIMIT,
            "The compiler exceeded its time limit.",
            where=job.outputs["wasm"].name,
            expected=f"at most {seconds:g} s",
            hint="Raise seconds in the guest's config if the machine is slow.",
            detail=_bounded(error.detail),
        ) from None


def _compile_error(
    refused: CompileError,
    diagnostic: CompilerDiagnostic | None,
    origins: Mapping[str, Path],
    sources: Sequence[Path],
) -> PipelineError:
    """Return the compiler's first error, located in the user's file."""
    found = diagnostic or CompilerDiagnostic(str(refused))
    # A linker names the object: the source's name without suffix.
    known = {**{path.stem: path for path in sources}, **origins}
    where = known.get(found.file, found.file) if found.file and found.place else ""
    return PipelineError(
        Code.GUEST_BUILD,
        "The guest does not compile.",
        where=f"{where or known.get(found.file, sources[0])}{found.place}",
        found=found.text[:_DETAIL_WIDTH],
        hint=found.hint,
        detail=_bounded(refused.output),
    )


def _bounded(output: str) -> str:
    return "\n".join(line[:_DETAIL_WIDTH] for line in output.splitlines()[:_DETAIL_LINES])
