"""An error of a step names the line that declared it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.graph.source_locations import source_location
from tests.tiny import FIXTURE


@pytest.mark.parametrize(
    ("step", "table"),
    [
        ("source:tiny.red", "[source.red]"),
        ("ir:tiny", "[model]"),
        ("tensor:tiny.blue", "[tensor.blue.x]"),
        ("verify:tiny.blue", "[expect.blue]"),
    ],
)
def test_a_step_is_declared_by_its_table(tmp_path: Path, step: str, table: str) -> None:
    (tmp_path / "configs/fixtures").mkdir(parents=True)
    (tmp_path / "configs/fixtures/tiny.toml").write_text(FIXTURE)
    line = FIXTURE.splitlines().index(table) + 1
    assert source_location(tmp_path, step) == f"configs/fixtures/tiny.toml:{line}"


def test_a_step_of_a_variant_is_declared_by_the_variant(tmp_path: Path) -> None:
    (tmp_path / "configs/fixtures").mkdir(parents=True)
    text = FIXTURE + '\n[variant.f16]\nprecision = "f16"\n'
    (tmp_path / "configs/fixtures/tiny.toml").write_text(text)
    lines = text.splitlines()
    place = "configs/fixtures/tiny.toml"
    assert source_location(tmp_path, "ir:tiny-f16") == f"{place}:{lines.index('[variant.f16]') + 1}"
    tensor = lines.index("[tensor.red.x]") + 1
    assert source_location(tmp_path, "tensor:tiny-f16.red") == f"{place}:{tensor}"


def test_others_name_their_file(tmp_path: Path) -> None:
    assert source_location(tmp_path, "guest:classify") == "configs/guests/classify.toml"
    assert source_location(tmp_path, "toolchain:mo") == "configs/toolchains/mo.lock"
    assert source_location(tmp_path, "manifest:tiny") == "configs/fixtures/tiny.toml"
    assert source_location(tmp_path, "ir:gone") == "configs/fixtures/gone.toml"
