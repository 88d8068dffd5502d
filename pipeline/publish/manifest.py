"""manifest.json: what the names of a fixture's files cannot tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from pipeline.model.canonical_digest import canonical_digest
from pipeline.publish.companions import companions
from pipeline.store.digest import Digest
from pipeline.work.action import Job

MANIFEST_VERSION = 2


def write_manifest(job: Job) -> None:
    """Recipe: write ``manifest`` and its companions, once every case of the fixture is verified.

    Inputs: ``file.<path>`` for every file of the folder, ``source.<name>``, ``interface``,
    ``imports`` of the guest, and the reports of all cases, which stay beside it: what was found on
    one machine is no part of the fixture. Parameters: ``declared``, the parts that come from the
    config as they are.
    """
    declared = cast(Mapping[str, Any], job.parameters["declared"])
    interface = json.loads(job.inputs["interface"].read_bytes())
    stem = declared["model"].get("stem", declared["name"])
    xml, weights = (job.inputs[f"file.{stem}.{end}"] for end in ("xml", "bin"))
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "name": declared["name"],
        "description": declared["description"],
        "files": [{"path": label, **_identity(path)} for label, path in _labelled(job, "file.")],
        "sources": {
            label: {**declared["sources"][label], **_identity(path)}
            for label, path in _labelled(job, "source.")
        },
        "model": {
            **declared["model"],
            "interface": interface,
            "encoding": "openvino",
            "canonical_digest": canonical_digest(xml.read_bytes(), weights),
        },
        "tensors": declared["tensors"],
        "guest": {
            **declared["guest"],
            "imports": json.loads(job.inputs["imports"].read_bytes()),
        },
        "golden": declared["golden"],
        "expect": declared["expect"],
        **(
            {"quantisation": json.loads(job.inputs["quantisation"].read_bytes())}
            if "quantisation" in job.inputs
            else {}
        ),
        "toolchains": {
            label: json.loads(path.read_bytes()) for label, path in _labelled(job, "toolchain.")
        },
        "tools": {tool: version(tool) for tool in cast(list[str], job.parameters["tools"])},
        "run": _commands(declared["name"], declared["guest"]["program"], declared["tensors"]),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"
    job.outputs["manifest"].write_bytes(text)
    for name, data in companions(manifest, text).items():
        job.outputs[name].write_bytes(data)


def _labelled(job: Job, prefix: str) -> list[tuple[str, Path]]:
    return sorted(
        (label.removeprefix(prefix), path)
        for label, path in job.inputs.items()
        if label.startswith(prefix)
    )


def _identity(path: Path) -> dict[str, object]:
    digest = Digest.of_file(path)
    return {"size": digest.size, "sha256": digest.sha256}


def _commands(name: str, program: str, cases: Mapping[str, object]) -> dict[str, str]:
    """Return how each runtime runs the fixture; paths are relative to the project."""
    folder = f"artifacts/{name}"
    mapped = f"--dir {folder}::fixture"
    case = next(iter(cases))
    return {
        "wasi-nn": f"wasi-nn run {mapped} {folder}/{program}.wasm -- {case}",
        "wasmtime": f"wasmtime run -S nn {mapped} {folder}/{program}.wasm {case}",
        "wasmtime, by name": f"wasmtime run -S nn,nn-graph=openvino::{folder} {mapped} "
        f"{folder}/{program}.wasm --graph {name} {case}",
    }
