"""Guests compiled by the recipe itself, with a compiler's cache that the session shares."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.guest.build import compile_guest
from pipeline.work.action import Job
from tests.tiny import ROOT

MODULES = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")


@dataclass(frozen=True)
class Built:
    """A compiled guest, and what it imports."""

    wasm: Path
    imports: tuple[str, ...]


def compile_files(
    sources: Sequence[Path],
    headers: Sequence[Path],
    *,
    into: Path,
    toolchains: Path,
    seconds: float = 300,
) -> Built:
    """Compile a guest into the folder ``into``, which must not exist yet."""
    (into / "scratch").mkdir(parents=True)
    wasm, imports = into / "guest.wasm", into / "imports.json"
    compile_guest(
        Job(
            inputs={
                **{f"source.{number}": path for number, path in enumerate(sources)},
                **{f"header.{number}": path for number, path in enumerate(headers)},
            },
            outputs={"wasm": wasm, "imports": imports},
            parameters={"language": "c", "modules": list(MODULES), "seconds": seconds},
            means={"zig_cache": toolchains / "zig"},
            scratch=into / "scratch",
        )
    )
    return Built(wasm, tuple(json.loads(imports.read_text())))


def classify_files(root: Path = ROOT) -> tuple[list[Path], list[Path]]:
    """Return the sources and headers of ``classify``, as its config lists them."""
    config = tomllib.loads((ROOT / "configs/guests/classify.toml").read_text())
    sources, headers = ([root / each for each in config[key]] for key in ("sources", "headers"))
    return sources, headers


def compile_classify(into: Path, toolchains: Path, root: Path = ROOT) -> Built:
    """Compile ``classify`` from the project at ``root``."""
    sources, headers = classify_files(root)
    return compile_files(sources, headers, into=into, toolchains=toolchains)
