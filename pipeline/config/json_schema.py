"""Generate the JSON Schema of the configs: ``python -m pipeline.config.json_schema``.

It is generated from the tables in ``schema.py`` and kept in ``configs/schema``. A config selects
its schema with a first line such as ``#:schema ../schema/fixture.schema.json``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline.cache.atomic import write_bytes
from pipeline.config.key_docs import key_docs
from pipeline.config.schema import Fixture, Guest, Project
from pipeline.config.tables import Table

_TABLES: Mapping[str, type[msgspec.Struct]] = {
    "fixture": Fixture,
    "guest": Guest,
    "project": Project,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema (draft 2020-12) of each kind of config.

    >>> schemas()["guest"]["properties"]["language"]["description"]
    'Language of the guest.'
    """
    return {name: _schema(name, table) for name, table in _TABLES.items()}


def files() -> dict[str, bytes]:
    """Return the files of ``configs/schema`` by name."""
    return {
        f"{name}.schema.json": (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
        for name, value in schemas().items()
    }


def write(folder: Path) -> None:
    """Write each of ``files`` to ``folder`` atomically; raises OSError."""
    for name, data in files().items():
        write_bytes(folder / name, data)


def _schema(name: str, table: type[msgspec.Struct]) -> dict[str, Any]:
    generated = _without_null(msgspec.json.schema(table))
    tables = {key: _documented(key, value) for key, value in generated["$defs"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        **tables.pop(table.__name__),
        **({"$defs": tables} if tables else {}),
    }


def _documented(name: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return a table's schema with the docs of the table and of each key."""
    [kind] = (kind for kind in Table.__subclasses__() if kind.__name__ == name)
    docs = key_docs(kind)
    properties = {
        key: {**value, "description": _joined(docs[key], value.get("description"))}
        for key, value in table["properties"].items()
    }
    return {
        **table,
        "description": inspect.cleandoc(table["description"]),
        "properties": properties,
    }


def _joined(doc: str, form: str | None) -> str:
    return f"{doc} Form: {form}." if form else doc


def _without_null(value: Any) -> Any:
    """Return a schema without the null of ``X | None``, which TOML does not have."""
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _without_null(item)
        for key, item in value.items()
        if not (key == "default" and item is None)
    }
    if "anyOf" in kept:
        [present] = [item for item in kept.pop("anyOf") if item != {"type": "null"}]
        return {**present, **kept}
    return kept


if __name__ == "__main__":
    write(Path(__file__).parents[2] / "configs" / "schema")
