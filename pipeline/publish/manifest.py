"""manifest.json: what the names of a fixture's files cannot tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.model.canonical_digest import canonical_digest
from pipeline.model.request import Interface
from pipeline.publish.companions import FOUND, companions
from pipeline.publish.found_card import found_card
from pipeline.publish.manifest_tables import MANIFEST_VERSION
from pipeline.store.digest import Digest, key_of
from pipeline.verify.descriptor import output_files, output_spec
from pipeline.verify.expectation import read_labels
from pipeline.verify.tolerance import FACTOR
from pipeline.work.action import Job
from pipeline.work.build import parts_of


def write_manifest(job: Job) -> None:
    """Recipe: write ``manifest`` and what is made from it, once every case is verified.

    Inputs: ``file.<path>`` for every file of the folder, ``source.<name>``, ``interface``,
    ``imports`` of the guest, ``evidence.<case>``, the reports, which stay beside it: what was found
    on one machine is no part of the fixture; and ``step.<name>.<label>``, what each step on the way
    has read. Parameters: ``declared``, the parts that come from the config as they are, and
    ``steps``: for each step what it says of itself, and the ``files`` that it made.
    """
    declared = cast(Mapping[str, Any], job.parameters["declared"])
    interface = msgspec.json.decode(job.inputs["interface"].read_bytes(), type=Interface)
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
            "interface": msgspec.to_builtins(interface),
            "encoding": "openvino",
            "canonical_digest": canonical_digest(xml.read_bytes(), weights),
        },
        "tensors": declared["tensors"],
        "outputs": _outputs(interface, list(declared["tensors"])),
        "guest": {
            **declared["guest"],
            "imports": json.loads(job.inputs["imports"].read_bytes()),
        },
        "golden": {**declared["golden"], "factor": FACTOR},
        "expect": declared["expect"],
        **(
            {"quantisation": json.loads(job.inputs["quantisation"].read_bytes())}
            if "quantisation" in job.inputs
            else {}
        ),
        "steps": _steps(job),
        "toolchains": {
            label: json.loads(path.read_bytes()) for label, path in _labelled(job, "toolchain.")
        },
        "tools": {tool: version(tool) for tool in cast(list[str], job.parameters["tools"])},
        "run": _commands(declared["name"], declared["guest"]["program"], declared["tensors"]),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"
    job.outputs["manifest"].write_bytes(text)
    named = {each["labels"] for each in declared["expect"].values() if "labels" in each}
    labels = {name: read_labels(job.inputs[f"source.{name}"].read_text()) for name in named}
    for name, data in companions(manifest, text, labels).items():
        job.outputs[name].write_bytes(data)
    reports = {
        case: json.loads(job.inputs[f"evidence.{case}"].read_bytes())
        for case in declared["tensors"]
    }
    job.outputs[FOUND].write_text(found_card(manifest, reports), encoding="utf-8")


def _labelled(job: Job, prefix: str) -> list[tuple[str, Path]]:
    return sorted(
        (label.removeprefix(prefix), path)
        for label, path in job.inputs.items()
        if label.startswith(prefix)
    )


def _identity(path: Path) -> dict[str, object]:
    digest = Digest.of_file(path)
    return {"size": digest.size, "sha256": digest.sha256}


def _outputs(interface: Interface, cases: list[str]) -> dict[str, list[dict[str, object]]]:
    """Return the tensors that come out of each case, as the guest writes them into `out`."""
    return {
        case: [
            {"name": port.name, "file": file, "dims": list(port.shape), "type": output.type}
            for port, file in zip(interface.outputs, output_files(interface, case), strict=True)
            for output in (output_spec(port),)
        ]
        for case in cases
    }


def _steps(job: Job) -> dict[str, dict[str, object]]:
    """Return each step that made something of the folder, with its action key."""
    told = {}
    steps = cast(Mapping[str, Mapping[str, Any]], job.parameters["steps"])
    for name, step in sorted(steps.items()):
        said = {key: value for key, value in step.items() if key not in ("files", "inputs")}
        inputs = {
            label: Digest.of_file(job.inputs[f"step.{name}.{label}"]).sha256
            for label in step["inputs"]
        }
        told[name] = {
            "recipe": step["recipe"],
            "code": step["code"],
            "key": key_of(parts_of(said, inputs)),
            "files": step["files"],
        }
    return told


def _commands(name: str, program: str, cases: Mapping[str, object]) -> dict[str, str]:
    """Return how each runtime runs the fixture; paths are relative to the project.

    Sources: the help of each command line; WAMR's README of wasi-nn. WasmEdge needs its plug-in of
    wasi-nn with OpenVINO; iwasm is built with WAMR_BUILD_WASI_NN and WAMR_BUILD_WASI_NN_OPENVINO.
    """
    folder = f"artifacts/{name}"
    mapped = f"--dir {folder}::fixture"
    case = next(iter(cases))
    return {
        "wasi-nn": f"wasi-nn run {mapped} {folder}/{program}.wasm -- {case}",
        "wasmtime": f"wasmtime run -S nn {mapped} {folder}/{program}.wasm {case}",
        "wasmtime, by name": f"wasmtime run -S nn,nn-graph=openvino::{folder} {mapped} "
        f"{folder}/{program}.wasm --graph {name} {case}",
        "wasmedge": f"wasmedge --dir fixture:{folder} {folder}/{program}.wasm {case}",
        "iwasm": f"iwasm --map-dir=fixture::{folder} {folder}/{program}.wasm {case}",
    }
