"""The manifest says what names cannot, and vouches for just what lies there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.cache.digest import Digest
from pipeline.publish.release.derived_files import DERIVED_FILES
from pipeline.publish.release.manifest_schema import FILE, encoded, schema
from pipeline.verify.tolerance import FACTOR
from tests.tiny import Project

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def manifest(project: Project) -> dict[str, Any]:
    return dict(json.loads((project.folder / "manifest.json").read_text()))


def test_every_file_stands_there_with_its_size_and_digest(built: Project) -> None:
    files = {each["path"]: each for each in manifest(built)["files"]}
    there = {path.name for path in built.folder.iterdir() if path.is_file()}
    assert set(files) == there - {"manifest.json"} - DERIVED_FILES
    for name, each in files.items():
        digest = Digest.of_file(built.folder / name)
        assert (each["size"], each["sha256"]) == (digest.size, digest.sha256)


def test_it_states_how_each_tensor_was_made(built: Project) -> None:
    red = manifest(built)["tensors"]["red"]["x"]
    expected = {
        "file": "red-1x3x8x8-f32.rgb",
        "dims": [1, 3, 8, 8],
        "type": "f32",
        "image": "red",
        "resize": "opencv-linear",
        "colour": "RGB",
        "layout": "NCHW",
        "range": "0-255",
    }
    assert red.items() >= expected.items()


def test_sources_have_digests_and_licences_even_where_the_config_gave_none(built: Project) -> None:
    source = manifest(built)["sources"]["red"]
    digest = Digest.of_file(built.root / "red.png")
    assert (source["sha256"], source["size"]) == (digest.sha256, digest.size)
    assert source["license"] == "Apache-2.0"


def test_the_guests_imports_are_listed_one_by_one(built: Project) -> None:
    imports = manifest(built)["guest"]["imports"]
    assert "wasi_ephemeral_nn.compute" in imports
    assert imports == sorted(imports)


def test_the_three_checks_are_told_for_each_case(built: Project) -> None:
    # Beside the manifest: what one machine found is no part of the fixture.
    assert "evidence" not in manifest(built)
    for case in ("red", "blue"):
        report = built.folder / "evidence" / case / "report.json"
        evidence = json.loads(report.read_bytes())
        assert evidence["native_equal"] is True
        output = evidence["golden"]["outputs"]["y"]
        assert output["agrees"] is True
        assert output["distance"] == pytest.approx(output["margin"] * output["bound"])
        assert evidence["golden"]["factor"] == manifest(built)["golden"]["factor"] == FACTOR
        assert evidence["expected"] == f"top 1 is {0 if case == 'red' else 2}"


def test_how_to_run_it_is_told_for_each_runtime(built: Project) -> None:
    commands = manifest(built)["run"]
    assert commands["wasi-nn"].startswith("wasi-nn run --dir artifacts/tiny::fixture ")
    assert set(commands) == {"wasi-nn", "wasmtime", "wasmtime, by name", "wasmedge", "iwasm"}


def test_it_is_as_the_published_schema_says(built: Project) -> None:
    validator = Draft202012Validator(json.loads((SCHEMAS / FILE).read_bytes()))
    assert list(validator.iter_errors(manifest(built))) == []
    for key in schema()["required"]:
        assert not validator.is_valid({k: v for k, v in manifest(built).items() if k != key})
    assert not validator.is_valid(manifest(built) | {"manifest_version": 2})


@pytest.mark.parametrize("key", ["floor", "bound", "distance", "margin"])
def test_the_evidence_is_as_the_published_schema_says(built: Project, key: str) -> None:
    whole = json.loads((SCHEMAS / FILE).read_bytes())
    validator = Draft202012Validator({"$ref": "#/$defs/Evidence", "$defs": whole["$defs"]})
    report = json.loads((built.folder / "evidence/red/report.json").read_bytes())
    assert list(validator.iter_errors(report)) == []
    report["golden"]["outputs"]["y"][key] = "near"
    assert not validator.is_valid(report)


def test_the_published_schema_is_the_one_of_the_tables() -> None:
    Draft202012Validator.check_schema(schema())
    committed = (SCHEMAS / FILE).read_bytes()
    assert committed == encoded(), "run python -m pipeline.publish.release.manifest_schema"


def test_each_table_and_key_of_the_schema_is_documented() -> None:
    whole = schema()
    for table in (whole, *whole["$defs"].values()):
        assert table["description"]
        for key, value in table["properties"].items():
            assert value["description"], key


def test_what_comes_out_is_told_as_what_goes_in(built: Project) -> None:
    assert manifest(built)["outputs"]["red"] == [
        {"name": "y", "file": "red-1x3-f32.raw", "dims": [1, 3], "type": "f32"}
    ]


def test_the_action_keys_are_those_of_the_builder(built: Project) -> None:
    """The key of a step is a hash of all that it depends on, wherever it is computed."""
    steps = manifest(built)["steps"]
    assert set(steps) == {
        "fixture:tiny",
        "guest:classify",
        "ir:tiny",
        "tensor:tiny.blue",
        "tensor:tiny.red",
    }
    history = "".join(
        path.read_text(errors="replace")
        for path in (built.root / "artifacts/.cache").rglob("*")
        if path.is_file() and path.suffix != ".wasm"
    )
    for step in steps.values():
        assert step["key"] in history
    made = [name for step in steps.values() for name in step["files"]]
    assert sorted(made) == [file["path"] for file in manifest(built)["files"]]
