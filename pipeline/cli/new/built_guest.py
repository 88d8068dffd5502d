"""A guest that is already built, as `--guest FILE.wasm` names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.new.local_files import LocalFile, local_file
from pipeline.cli.new.toml_text import table
from pipeline.config.load_project import builtin_guest_names
from pipeline.config.rules import name_fault
from pipeline.config.schema import UNKNOWN_LICENCE
from pipeline.errors import Code, PipelineError
from pipeline.guest.imports import audit

SUFFIX = ".wasm"
_FOLDER = "guests"
_HEAD = "#:schema ../schema/guest.schema.json\n"
_MODULES = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")
_OTHER = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True)
class BuiltGuest:
    """A guest's name, its file, and the text of its config at ``config``."""

    name: str
    file: LocalFile
    config: str
    text: str


def built_guest(root: Path, path: Path, licence: str | None, *, force: bool) -> BuiltGuest:
    """Return the guest in a file; nothing is written yet.

    Raises PipelineError: USAGE for a file or a name that cannot be used, and those of ``audit``.
    """
    name = _OTHER.sub("-", path.stem.lower()).strip("-")
    if fault := name_fault(name):
        message = "The guest's file has a name that a guest cannot have."
        raise PipelineError(Code.USAGE, message, where=str(path), expected=fault)
    if name in builtin_guest_names():
        raise PipelineError(
            Code.USAGE,
            f"A built-in guest is named {name!r}.",
            where=str(path),
            hint="Rename the file, or use the built-in guest: --guest " + name,
        )
    file = local_file(root, f"{_FOLDER}/{name}{SUFFIX}", path)
    audit(path.read_bytes(), _MODULES, path.name)
    config = f"configs/guests/{name}.toml"
    text = _HEAD + table((), {"description": f"{name}, as it was built", "language": "wasm"}, {})
    source = {"urls": [f"file:{file.path}"], "license": licence or UNKNOWN_LICENCE}
    text += table(("file",), source, {})
    there = root / config
    if there.exists() and there.read_bytes() != text.encode() and not force:
        raise PipelineError(
            Code.USAGE,
            f"Another guest is named {name!r}.",
            where=config,
            hint=f"Use it (--guest {name}), rename the file, or overwrite it with --force.",
        )
    return BuiltGuest(name, file, config, text)
