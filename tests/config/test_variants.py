"""Variants are fixtures of their own, and what is wrong with one is told at its table."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.load_project import load_project
from pipeline.errors import PipelineError
from tests.config.sample import FIXTURE, errors_of, write_project

F16 = '\n[variant.f16]\nprecision = "f16"\n'


def _errors(root: Path, fixture: str) -> tuple[PipelineError, ...]:
    write_project(root, fixture)
    return errors_of(root)


def test_a_variant_is_a_fixture_of_its_own(tmp_path: Path) -> None:
    write_project(
        tmp_path,
        FIXTURE + F16 + 'golden = { executor = "opencv", absolute = 0.5, reason = "f16" }\n',
    )
    configs = load_project(tmp_path)
    whole, variant = configs.fixtures["net"], configs.fixtures["net-f16"]
    assert list(configs.fixtures) == ["net", "net-f16"]
    assert configs.variant_of == {"net-f16": "net"}
    assert (variant.model.precision, variant.golden.absolute) == ("f16", 0.5)
    assert (whole.model.precision, whole.default, variant.default) == ("f32", True, False)
    assert (variant.tensor, variant.source) == (whole.tensor, whole.source)


def test_what_int8_lacks_is_told_at_the_variant(tmp_path: Path) -> None:
    text = FIXTURE + '\n[variant.int8]\nprecision = "int8"\n'
    line = text.splitlines().index('precision = "int8"') + 1
    first, second = _errors(tmp_path, text)
    assert "int8 requires a maximum loss" in first.message + second.message
    assert {error.where for error in (first, second)} == {f"configs/fixtures/net.toml:{line}"}


def test_groups_of_a_variant_are_its_own(tmp_path: Path) -> None:
    text = FIXTURE + F16 + "group_size = 32\n"
    line = text.splitlines().index("group_size = 32") + 1
    (error,) = _errors(tmp_path, text)
    assert error.message == "'group_size' requires precision int4, not f16."
    assert error.where == f"configs/fixtures/net.toml:{line}"


def test_a_fault_of_the_fixture_is_told_once(tmp_path: Path) -> None:
    text = FIXTURE.replace('image = "chelsea"', 'image = "coffee"') + F16
    (error,) = _errors(tmp_path, text)
    assert error.message.startswith("No source named 'coffee'")


def test_a_variant_cannot_have_the_name_of_another_fixture(tmp_path: Path) -> None:
    write_project(tmp_path, FIXTURE)
    (tmp_path / "configs/fixtures/net-f16.toml").write_text(FIXTURE)
    (error,) = _errors(tmp_path, FIXTURE + F16)
    assert error.message == "The variant's name is that of another fixture."
    assert error.where.startswith("configs/fixtures/net.toml:")


def test_a_variant_has_a_name_that_files_can_have(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, FIXTURE + F16.replace("f16]", '"F 16"]'))
    assert error.message == "Invalid variant name."


def test_an_unknown_key_of_a_variant_is_refused(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, FIXTURE + F16 + "threshold = 1\n")
    assert "threshold" in error.message
