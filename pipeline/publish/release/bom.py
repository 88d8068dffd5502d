"""bom.json: a CycloneDX 1.6 bill of materials, with the model as a component.

Source: CycloneDX 1.6's JSON schema. Serial number and time are omitted, so that a fixture's bill
is reproducible.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.publish.release.release import ReleasedFile


def bill_of_materials(manifest: Mapping[str, Any], files: Sequence[ReleasedFile]) -> bytes:
    """Return the bill of materials: a fixture's files, its sources with licences, and its tools."""
    name = manifest["name"]
    stem = manifest["model"].get("stem") or name
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "data",
                "bom-ref": name,
                "name": name,
                "description": manifest["description"],
            },
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": tool,
                        "version": version,
                        "purl": f"pkg:pypi/{tool}@{version}",
                    }
                    for tool, version in sorted(manifest["tools"].items())
                ]
            },
        },
        "components": [
            *(_file(file, stem, manifest) for file in files),
            *(_source(label, each) for label, each in sorted(manifest["sources"].items())),
        ],
        "dependencies": [
            {
                "ref": name,
                "dependsOn": [
                    *(f"file:{file.path}" for file in files),
                    *(f"source:{label}" for label in sorted(manifest["sources"])),
                ],
            }
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _file(file: ReleasedFile, stem: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "file",
        "bom-ref": f"file:{file.path}",
        "name": file.path,
        "hashes": [{"alg": "SHA-256", "content": file.sha256}],
    }
    if file.path != f"{stem}.xml":
        return component
    interface = manifest["model"]["interface"]
    return component | {
        "type": "machine-learning-model",
        "modelCard": {
            "modelParameters": {
                "inputs": [{"format": _port(port)} for port in interface["inputs"]],
                "outputs": [{"format": _port(port)} for port in interface["outputs"]],
            }
        },
    }


def _source(label: str, source: Mapping[str, Any]) -> dict[str, Any]:
    licence = source["license"]
    return {
        "type": "data",
        "bom-ref": f"source:{label}",
        "name": label,
        # `name` instead of `id`, because configs may state licences that SPDX does not list.
        "licenses": [{"license": {"name": licence}}],
        "hashes": [{"alg": "SHA-256", "content": source["sha256"]}],
        "externalReferences": [{"type": "distribution", "url": url} for url in source["urls"]]
        + ([{"type": "website", "url": source["homepage"]}] if source.get("homepage") else []),
    }


def _port(port: Mapping[str, Any]) -> str:
    return f"{port['name']}: {port['type']} {'x'.join(map(str, port['shape']))}"
