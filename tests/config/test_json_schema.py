"""The JSON Schema files beside the configs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.json_schema import files, schemas, write
from tests.config.sample import FIXTURE, GUEST

ROOT = Path(__file__).parents[2]
KINDS = ("fixture", "guest", "project")


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_the_one_of_the_classes(kind: str) -> None:
    name = f"{kind}.schema.json"
    committed = (ROOT / "configs" / "schema" / name).read_bytes()
    assert committed == files()[name], "run python -m pipeline.config.json_schema"


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_one(kind: str) -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schemas()[kind])


@pytest.mark.parametrize(
    ("kind", "text"), [("fixture", FIXTURE), ("guest", GUEST), ("project", "offline = true")]
)
def test_a_good_config_is_accepted_and_an_unknown_key_is_not(kind: str, text: str) -> None:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schemas()[kind])
    data = tomllib.loads(text)
    assert list(validator.iter_errors(data)) == []
    assert not validator.is_valid({**data, "unknown": 1})


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from objects(item)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_documented_and_none_may_be_null(kind: str) -> None:
    schema = schemas()[kind]
    tables = [value for value in objects(schema) if isinstance(value.get("properties"), dict)]
    assert tables
    for table in tables:
        assert table["description"].strip()
        for key, value in table["properties"].items():
            assert value.get("description", "").endswith("."), key
            assert "anyOf" not in value, key
    assert {"type": "null"} not in list(objects(schema))


def test_the_files_are_written_by_the_module(tmp_path: Path) -> None:
    write(tmp_path / "schema")
    written = {path.name: path.read_bytes() for path in (tmp_path / "schema").iterdir()}
    assert written == files()


def test_running_the_module_changes_nothing_that_is_committed() -> None:
    folder = ROOT / "configs" / "schema"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    subprocess.run([sys.executable, "-m", "pipeline.config.json_schema"], cwd=ROOT, check=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
