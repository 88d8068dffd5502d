"""One fixture as the report is asked to show it: its config, and where its files lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.config.schema import Fixture
from pipeline.errors import PipelineError
from pipeline.model.request import Interface
from pipeline.store.decoded import decoded
from pipeline.verify.descriptor import output_files
from pipeline.verify.failure import FailedCase


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A fixture; none of its files needs to be there.

    ``sources`` are the fetched files by name, ``tensors`` and ``evidence`` by case;
    ``accuracy`` the reports of its datasets, ``drawn`` where its drawings are kept. ``current``
    names those of its steps that are up to date; ``failed`` those that failed with the message,
    ``blocked`` those that were not run with what they need; ``failures`` has what came out of each
    case that failed.
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
    current: Collection[str]
    failed: Mapping[str, str]
    blocked: Mapping[str, str]
    failures: Mapping[str, FailedCase]

    @property
    def manifest(self) -> Path:
        """Return the file that is there once every case is verified."""
        return self.folder / "manifest.json"

    def outputs(self, case: str) -> Mapping[str, Path]:
        """Return the raw file of each output of a verified case, by the output's name."""
        try:
            interface = decoded(self.interface.read_bytes(), Interface)
            names = output_files(interface, case)
        except (OSError, msgspec.MsgspecError, PipelineError):
            return {}
        folder = self.evidence[case].parent
        return {
            port.name: folder / name for port, name in zip(interface.outputs, names, strict=True)
        }


@dataclass(frozen=True, kw_only=True)
class GuestSubject:
    """A guest program: what its config says, and where its wasm and its imports lie."""

    name: str
    language: str
    description: str
    wasm: Path
    imports: Path
    used_by: tuple[str, ...]
