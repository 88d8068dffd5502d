"""Write the suite as files that need nothing of this project."""

from __future__ import annotations

import bz2
import errno
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.cache.atomic import write_bytes
from pipeline.cache.owned_folder import NotOwnedError, remove
from pipeline.conformance.case import COMPONENT, Call, Case, SkipUnlessSuccess
from pipeline.conformance.guest_assembly import assemble, assemble_calls, stdout_of
from pipeline.conformance.models.formats import FORMATS, SUITES
from pipeline.conformance.second_instance import assemble_second
from pipeline.conformance.single_file import single_file
from pipeline.errors import Code, PipelineError
from pipeline.guest.component.componentize import ADAPTER
from pipeline.guest.component.wasm_tools import WIT

# Increased whenever a case changes, so that results can be compared.
VERSION = 4

_KIT = "pipeline.conformance.kit"
_RUNNER = ("cases", "judge", "run_cases", "report", "baseline", "explain", "main")


def kit_files(cases: Sequence[Case]) -> Mapping[str, bytes]:
    """Return the kit's files by path: guests, expectations, models, runner and instructions.

    The bytes are the same on every machine.
    """
    import wasmtime

    kit: dict[str, bytes] = {"kit.json": _json({"suite": VERSION})}
    kit["conformance.py"] = single_file(_KIT, _RUNNER).encode()
    kit["README.md"] = (files(_KIT) / "README.md").read_bytes()
    for folder in ("adapters", "workflows"):
        for each in (files(_KIT) / folder).iterdir():
            if each.name.endswith((".py", ".yml")) and each.name != "__init__.py":
                kit[f"{folder}/{each.name}"] = each.read_bytes()
    kit["component/wasi_ephemeral_nn.wat"] = ADAPTER.read_bytes()
    kit["component/wasi-nn.wit"] = WIT.read_bytes()
    calls: dict[str, bytes] = {}
    for name, title in SUITES.items():
        chosen = [case for case in cases if case.encoding == name]
        described = {}
        for case in chosen:
            wasm = _unnamed(bytes(wasmtime.wat2wasm(assemble(case))))
            kit[f"{name}/{case.name}.wasm"] = wasm
            if case.second:
                second = bytes(wasmtime.wat2wasm(assemble_second(case.second)))
                kit[f"preload/{name}/{case.name}.wasm"] = _unnamed(second)
                calls[f"{name}/{case.name}.second.wat"] = assemble_second(case.second).encode()
            kit[f"{name}/{case.name}.json"] = _json(_expected(case))
            calls[f"{name}/{case.name}.wat"] = assemble_calls(case).encode()
            described[case.name] = _described(case, hashlib.sha256(wasm).hexdigest())
        target = "wasm32-wasip2" if name == COMPONENT else "wasm32-wasip1"
        manifest = {"name": f"wasi-nn conformance, {title}", "version": str(VERSION)}
        manifest["wasi_version"] = target
        kit[f"{name}/manifest.json"] = _json({**manifest, "cases": described})
    for name, form in FORMATS.items():
        for part, data in zip(form.files, form.add("f32").parts, strict=True):
            kit[f"models/{name}/add/{part}"] = data
            flat = "add.bin" if part.endswith(".bin") else "add"
            kit[f"models/{name}/flat/{flat}"] = data
    kit["calls.tar.bz2"] = _packed(calls)
    sums = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(kit.items())]
    kit["SHA256SUMS"] = "".join(sums).encode()
    return dict(sorted(kit.items()))


def write_kit(folder: Path, cases: Sequence[Case]) -> None:
    """Write the kit to a new folder; raises OSError."""
    for path, data in kit_files(cases).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def update_kit(folder: Path, cases: Sequence[Case]) -> bool:
    """Bring the kit in a folder up to date, file by file; return whether anything changed.

    The folder above has our marker. Raises PipelineError (STORAGE).
    """
    kit = kit_files(cases)
    changed = False
    try:
        if folder.is_symlink():
            raise NotOwnedError(errno.EPERM, "It is a link", str(folder))
        for path, data in kit.items():
            target = folder / path
            if not target.is_file() or target.read_bytes() != data:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(target, data)
                changed = True
        for left in sorted(folder.rglob("*"), reverse=True):
            if left.is_dir() and not left.is_symlink():
                if not any(left.iterdir()):
                    left.rmdir()
            elif left.relative_to(folder).as_posix() not in kit:
                remove(left, folder.parent)
                changed = True
    except OSError as error:
        raise PipelineError(
            Code.STORAGE, "Cannot write the kit.", where=str(folder), found=str(error)
        ) from None
    return changed


def _packed(texts: Mapping[str, bytes]) -> bytes:
    """Return a tar of the texts, compressed together: they differ in few lines."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in sorted(texts.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    # Unlike zlib, bzip2 has had the same output in every version.
    return bz2.compress(buffer.getvalue())


def _unnamed(wasm: bytes) -> bytes:
    """Return a module without its custom sections, which name functions and locals."""
    kept, at = bytearray(wasm[:8]), 8
    while at < len(wasm):
        start, size, shift = at, 0, 0
        at += 1
        while True:
            byte = wasm[at]
            at += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        at += size
        if wasm[start]:
            kept += wasm[start:at]
    return bytes(kept)


def _expected(case: Case) -> Mapping[str, Any]:
    """Return what the runner of wasi-testsuite reads, and the named graphs."""
    expected: dict[str, Any] = {"args": list(case.arguments), "dirs": [], "env": {}}
    expected["exit_code"] = case.exit_code
    if not _varies(case):
        expected["stdout"] = stdout_of(case)
    if case.graphs:
        expected["graphs"] = list(case.graphs)
    return expected


def _varies(case: Case) -> bool:
    """Whether what the guest prints depends on what the host accepts."""
    skips = any(isinstance(step, SkipUnlessSuccess) for step in case.steps)
    traps = [step for step in case.steps if isinstance(step, Call) and step.may_trap]
    return skips and len(traps) > 1


def _described(case: Case, digest: str) -> Mapping[str, Any]:
    described: dict[str, Any] = {
        "level": case.basis.level.value,
        "rule": case.rule,
        "source": case.basis.source,
        "reason": case.basis.reason,
        "sha256": digest,
    }
    if not case.memory:
        described["memory"] = False
    if case.need:
        described["need"] = case.need.value
    if case.says:
        described["says"] = list(case.says)
    return described


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
