"""One fixture to report on: its config and the paths of its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import decode_json
from pipeline.config.schema import Fixture
from pipeline.errors import PipelineError
from pipeline.model.convert.request import Interface
from pipeline.verify.descriptor import output_files
from pipeline.verify.failed_case import FailedCase


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A fixture; any of its files may be missing.

    ``sources`` are the fetched files by name, ``tensors`` and ``evidence`` by case;
    ``accuracy`` the reports of its datasets, ``drawn`` the cache of its renderings.
    ``verify_steps`` maps each case to the name of its step; ``current`` are those of them that are
    up to date, ``complete`` tells whether the manifest is. ``failed`` maps failed steps to their
    messages, ``blocked`` those that did not run to what they need; ``failures`` maps failed cases
    to their comparison.
    """

    name: str
    config: Fixture
    folder: Path
    sources: Mapping[str, Path]
    xml: Path
    weights: Path
    interface: Path
    tensors: Mapping[str, Mapping[str, Path]]
    evidence: Mapping[str, Path]
    accuracy: Mapping[str, Path]
    drawn: Path
    verify_steps: Mapping[str, str]
    current: Collection[str]
    complete: bool
    failed: Mapping[str, str]
    blocked: Mapping[str, str]
    failures: Mapping[str, FailedCase]

    @property
    def manifest(self) -> Path:
        """Return the manifest, which exists once every case is verified."""
        return self.folder / "manifest.json"

    def outputs(self, case: str) -> Mapping[str, Path]:
        """Return the raw output files of a verified case, by output name."""
        try:
            whole = decode_json(self.interface.read_bytes(), Interface)
            interface = whole.of_case(case)
            names = output_files(interface, case)
        except (OSError, msgspec.MsgspecError, PipelineError):
            return {}
        folder = self.evidence[case].parent
        return {
            port.name: folder / name for port, name in zip(interface.outputs, names, strict=True)
        }


@dataclass(frozen=True, kw_only=True)
class GuestSubject:
    """A guest program: its config, and the paths of its wasm and its imports."""

    name: str
    language: str
    description: str
    wasm: Path
    imports: Path
    used_by: tuple[str, ...]
