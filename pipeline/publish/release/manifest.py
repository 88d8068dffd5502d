"""Write manifest.json: the machine-readable description of a fixture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.cache.digest import Digest, key_of
from pipeline.cache.json_decoding import decode_json
from pipeline.execution.action import Job
from pipeline.execution.key_parts import key_parts
from pipeline.model.convert.request import Interface
from pipeline.model.ir.canonical_digest import canonical_digest
from pipeline.publish.release.derived_files import FOUND, derived_files
from pipeline.publish.release.evidence_card import evidence_card
from pipeline.publish.release.manifest_tables import MANIFEST_VERSION
from pipeline.tensor.text_lines import read_lines
from pipeline.verify.descriptor import output_files, output_spec
from pipeline.verify.expectation import labels_of
from pipeline.verify.tolerance import FACTOR


def write_manifest(job: Job) -> None:
    """Recipe: write ``manifest`` and the files derived from it, after all cases are verified.

    Inputs: ``file.<path>`` for every file of the folder, ``source.<name>``, ``interface``,
    ``imports`` of the guest and ``imports.component`` of its component, the reports
    ``evidence.<case>``, which are not part of the fixture because they depend on the machine, and
    ``step.<name>.<label>``, the inputs of each step.
    Parameters: ``declared``, the parts copied from the config, and ``steps``: the description of
    each step and the ``files`` that it made.
    """
    declared = cast(Mapping[str, Any], job.parameters["declared"])
    interface = decode_json(job.inputs["interface"].read_bytes(), Interface)
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
            **{key: value for key, value in declared["guest"].items() if key != "component"},
            "imports": json.loads(job.inputs["imports"].read_bytes()),
            **_component(job, declared["guest"]["program"]),
        },
        "golden": {**declared["golden"], "factor": FACTOR},
        "expect": declared["expect"],
        "classes": _classes(job, declared["expect"]),
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
        "run": _commands(
            declared["name"],
            declared["guest"]["program"],
            declared["tensors"],
            component="imports.component" in job.inputs,
        ),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"
    job.outputs["manifest"].write_bytes(text)
    for name, data in derived_files(text).items():
        job.outputs[name].write_bytes(data)
    reports = {case: job.inputs[f"evidence.{case}"].read_bytes() for case in declared["tensors"]}
    job.outputs[FOUND].write_bytes(evidence_card(text, reports))


def _component(job: Job, program: str) -> dict[str, object]:
    if "imports.component" not in job.inputs:
        return {}
    imports = json.loads(job.inputs["imports.component"].read_bytes())
    return {"component": {"file": f"{program}.component.wasm", "imports": imports}}


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
    """Return the output tensors of each case, as the guest writes them to `out`."""
    return {
        case: [
            {"name": port.name, "file": file, "dims": list(port.shape), "type": output.type}
            for port, file in zip(shaped.outputs, output_files(shaped, case), strict=True)
            for output in (output_spec(port),)
        ]
        for case in cases
        for shaped in (interface.of_case(case),)
    }


def _classes(job: Job, expect: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the name of the class that each case expects, where there are labels."""
    classes = {}
    for case, each in expect.items():
        if "labels" in each and "top1" in each:
            source = each["labels"]
            names = labels_of(read_lines(job.inputs[f"source.{source}"], f"source {source}"))
            if each["top1"] < len(names):
                classes[case] = names[each["top1"]]
    return classes


def _steps(job: Job) -> dict[str, dict[str, object]]:
    """Return each step that made a file of the folder, with its action key."""
    steps_made = {}
    steps = cast(Mapping[str, Mapping[str, Any]], job.parameters["steps"])
    for name, step in sorted(steps.items()):
        static = {key: value for key, value in step.items() if key not in ("files", "inputs")}
        inputs = {
            label: Digest.of_file(job.inputs[f"step.{name}.{label}"]).sha256
            for label in step["inputs"]
        }
        steps_made[name] = {
            "recipe": step["recipe"],
            "code": step["code"],
            "key": key_of(key_parts(static, inputs)),
            "files": step["files"],
        }
    return steps_made


def _commands(
    name: str, program: str, cases: Mapping[str, object], *, component: bool
) -> dict[str, str]:
    """Return the command for each runtime; paths are relative to the project.

    Sources: the help of each command line; WAMR's README of wasi-nn. WasmEdge needs its wasi-nn
    plug-in with OpenVINO; iwasm needs WAMR_BUILD_WASI_NN and WAMR_BUILD_WASI_NN_OPENVINO.
    """
    folder = f"artifacts/{name}"
    mapped = f"--dir {folder}::fixture"
    case = next(iter(cases))
    also = f"wasmtime run -S nn {mapped} {folder}/{program}.component.wasm {case}"
    return {
        "wasi-nn": f"wasi-nn run {mapped} {folder}/{program}.wasm -- {case}",
        "wasmtime": f"wasmtime run -S nn {mapped} {folder}/{program}.wasm {case}",
        "wasmtime, by name": f"wasmtime run -S nn,nn-graph=openvino::{folder} {mapped} "
        f"{folder}/{program}.wasm --graph {name} {case}",
        **({"wasmtime, component": also} if component else {}),
        "wasmedge": f"wasmedge --dir fixture:{folder} {folder}/{program}.wasm {case}",
        "iwasm": f"iwasm --map-dir=fixture::{folder} {folder}/{program}.wasm {case}",
    }
