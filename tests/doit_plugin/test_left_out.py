"""A fixture whose last build failed keeps no other from being locked, published or packed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny import Project

COMMANDS = (
    ["lock"],
    ["lock", "--check"],
    ["bundle", "--out", "packed"],
    ["publish", "--to", "published", "--as", "1.0"],
    ["validate", "--no-run"],
)
LINE = (
    "warning: wrong is left out: verify:wrong.blue failed last time: The largest output is of "
    "another class than the config expects."
)


@pytest.fixture(scope="module")
def with_failure(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of which one fixture is built and locked, and the other one failed."""
    import shutil

    project = Project(tmp_path_factory.mktemp("failed") / "project")
    shutil.copytree(built.root, project.root)
    assert project.doit("lock").returncode == 0
    wrong = project.config.with_name("wrong.toml")
    wrong.write_text(project.config.read_text().replace("top1 = 2", "top1 = 1"))
    assert project.doit().returncode == 1
    return project


def written(project: Project) -> set[Path]:
    places = [project.root / "packed", project.root / "published"]
    return {path for place in places for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_others_go_on_and_the_failed_one_is_named(
    with_failure: Project, command: list[str]
) -> None:
    run = with_failure.doit(*command)
    assert run.returncode == 0, run.output
    assert [line for line in run.output.splitlines() if "wrong" in line] == [LINE]
    assert "tiny" in run.output
    assert not any("wrong" in path.name for path in written(with_failure))
    assert set(
        json.loads((with_failure.root / "artifacts/lock.json").read_bytes())["fixtures"]
    ) == {"tiny"}


@pytest.mark.parametrize("command", COMMANDS[:-1], ids=" ".join)
@pytest.mark.parametrize("how", [["--strict"], ["tiny", "wrong"]], ids=" ".join)
def test_strictly_or_by_name_it_is_an_error_and_nothing_is_written(
    with_failure: Project, command: list[str], how: list[str]
) -> None:
    before = written(with_failure), (with_failure.root / "artifacts/lock.json").read_bytes()
    run = with_failure.doit(*command, *how)
    assert run.returncode == 1
    assert run.output.startswith(
        "error[lock]: wrong is not built: verify:wrong.blue failed last time.\n"
    )
    assert "found:    The largest output is of another class" in run.output
    assert "hint:     To try again: doit manifest:wrong" in run.output
    after = written(with_failure), (with_failure.root / "artifacts/lock.json").read_bytes()
    assert after == before


@pytest.mark.parametrize("how", [["--strict"], ["tiny", "wrong"], ["wrong"]], ids=" ".join)
def test_a_validation_of_what_failed_is_none(with_failure: Project, how: list[str]) -> None:
    run = with_failure.doit("validate", "--no-run", *how)
    assert run.returncode == 1
    assert "wrong: invalid" in run.output


def test_a_pattern_names_nobody(with_failure: Project) -> None:
    run = with_failure.doit("lock", "*")
    assert run.returncode == 0, run.output
    assert LINE in run.output
    assert "tiny: unchanged" in run.output


def test_where_no_other_is_left_it_is_an_error(with_failure: Project) -> None:
    for command in COMMANDS[:-1]:
        run = with_failure.doit(*command, "w*")
        assert run.returncode == 1
        assert run.output.startswith("error[lock]: wrong is not built:")
    assert with_failure.doit("validate", "w*").returncode == 2


def test_what_failed_keeps_what_was_locked_of_it(project: Project) -> None:
    other = project.config.with_name("other.toml")
    other.write_text(project.config.read_text())
    assert project.doit().returncode == 0
    assert project.doit("lock").returncode == 0
    lock = project.root / "artifacts/lock.json"
    before = lock.read_bytes()
    other.write_text(other.read_text().replace("top1 = 2", "top1 = 1"))
    assert project.doit().returncode == 1
    assert project.doit("lock").returncode == 0
    assert lock.read_bytes() == before


def test_what_is_merely_not_built_is_an_error_all_the_same(project: Project) -> None:
    other = project.config.with_name("other.toml")
    other.write_text(project.config.read_text())
    run = project.doit("lock")
    assert run.returncode == 1
    assert run.output.startswith("error[lock]: What is built is not what the configs say.\n")
    assert "hint:     Build it first: doit manifest:other" in run.output
