"""Generate the JSON Schema of manifest.json, from the tables that validation reads.

Run ``python -m pipeline.publish.release.manifest_schema``; the schema is kept in ``docs/schema``.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from pipeline.cache.atomic import write_bytes
from pipeline.config.key_docs import key_docs
from pipeline.model.convert import request
from pipeline.publish.release import manifest_tables
from pipeline.publish.release.manifest_tables import (
    MANIFEST_VERSION,
    SINCE_3,
    Manifest,
    ManifestStep,
)
from pipeline.verify import compare, evidence, tolerance
from pipeline.verify.evidence import Evidence

FILE = f"manifest-{MANIFEST_VERSION}.schema.json"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the current manifest version.

    Its definition ``Evidence`` is that of the reports beside them, ``evidence/CASE/report.json``.

    >>> schema()["properties"]["manifest_version"]["const"]
    5
    """
    generated = {**_tables(Manifest), **_tables(Evidence)}
    tables = {name: _documented(name, table) for name, table in generated.items()}
    manifest = tables.pop(Manifest.__name__)
    manifest["properties"]["manifest_version"]["const"] = MANIFEST_VERSION
    # Optional only for readers of older manifests.
    manifest["required"] = [*manifest["required"], *SINCE_3, "description", "tools", "toolchains"]
    tables[ManifestStep.__name__]["required"].append("code")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:wasi-nn-pipeline:manifest:{MANIFEST_VERSION}",
        "title": f"manifest.json of a wasi-nn fixture, version {MANIFEST_VERSION}",
        **manifest,
        "$defs": tables,
    }


def encoded() -> bytes:
    """Return the bytes of the schema file."""
    return (json.dumps(schema(), indent=2, ensure_ascii=False) + "\n").encode()


def _tables(root: type) -> dict[str, Any]:
    return dict(msgspec.json.schema(root)["$defs"])


def _documented(name: str, table: dict[str, Any]) -> dict[str, Any]:
    homes = (manifest_tables, request, evidence, compare, tolerance)
    docs = key_docs(next(getattr(home, name) for home in homes if hasattr(home, name)))
    properties = {
        key: {**value, "description": docs[key]} if key in docs else dict(value)
        for key, value in table["properties"].items()
    }
    description = inspect.cleandoc(table.get("description", ""))
    return {**table, "description": description, "properties": properties}


if __name__ == "__main__":
    write_bytes(Path(__file__).parents[3] / "docs" / "schema" / FILE, encoded())
