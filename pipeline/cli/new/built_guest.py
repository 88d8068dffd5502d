"""A guest that is already built, as `--guest FILE.wasm` or an address names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cli.new.fetched_files import pinned
from pipeline.cli.new.licence import given_licence
from pipeline.cli.new.local_files import LocalFile, local_file
from pipeline.cli.new.toml_text import table
from pipeline.config.load_project import builtin_guest_names
from pipeline.config.rules import name_fault
from pipeline.config.schema import UNKNOWN_LICENCE
from pipeline.errors import Code, PipelineError
from pipeline.guest.imports import audit
from pipeline.http.urls import redacted_url

SUFFIX = ".wasm"
_FOLDER = "guests"
_HEAD = "#:schema ../schema/guest.schema.json\n"
_MODULES = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")
_OTHER = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True)
class BuiltGuest:
    """A guest's name, its file, and the text of its config at ``config``.

    A guest from an address has no file in the project, but the note that says its digest.
    """

    name: str
    file: LocalFile | None
    config: str
    text: str
    notes: tuple[str, ...] = ()


def built_guest(
    root: Path, path: Path, address: str | None, licence: str | None, *, force: bool
) -> BuiltGuest:
    """Return the guest in a file, which was fetched if it has an address; nothing is written yet.

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
    file, source, notes = _source(root, f"{_FOLDER}/{name}{SUFFIX}", path, address, licence)
    audit(path.read_bytes(), _MODULES, path.name)
    config = f"configs/guests/{name}.toml"
    text = _HEAD + table((), {"description": f"{name}, as it was built", "language": "wasm"}, {})
    text += table(("file",), source, {})
    there = root / config
    if there.exists() and there.read_bytes() != text.encode() and not force:
        raise PipelineError(
            Code.USAGE,
            f"Another guest is named {name!r}.",
            where=config,
            hint=f"Use it (--guest {name}), rename the file, or overwrite it with --force.",
        )
    return BuiltGuest(name, file, config, text, notes)


def _source(
    root: Path, target: str, path: Path, address: str | None, licence: str | None
) -> tuple[LocalFile | None, Mapping[str, Any], tuple[str, ...]]:
    """Return the guest's file if it is brought into the project, its source, and notes on it."""
    of_guest = UNKNOWN_LICENCE
    notes = ["the guest's licence is unknown: set it in its config, or use --guest-license"]
    if licence is not None:
        of_guest, notes = given_licence("--guest-license", licence), []
    if address is None:
        file = local_file(root, target, path)
        return file, {"urls": [f"file:{file.path}"], "license": of_guest}, tuple(notes)
    fetched = pinned(address, path, of_guest)
    keys = {"urls": [address], "sha256": fetched.sha256, "size": fetched.size, "license": of_guest}
    notes.insert(0, f"{redacted_url(address)} pinned by sha256 {fetched.sha256}")
    return None, keys, tuple(notes)
