"""An error of a step names the line that declared it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load_project import load_project
from pipeline.execution.action import Declaration
from pipeline.graph.kinds import KINDS
from pipeline.graph.source_locations import source_location
from pipeline.graph.step_graph import StepGraph
from tests.tensor.dataset.photos import TABLE
from tests.tiny import FIXTURE, ROOT, Project, make_project

VARIANT = '\n[variant.f16]\nprecision = "f16"\n'
CONFIG = "configs/fixtures/tiny.toml"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a dataset and a variant."""
    project = make_project(tmp_path / "project", tmp_path / "toolchains")
    (project.root / "photos").mkdir()
    classes = '[source.classes]\nurls = ["file:red.png"]\nlicense = "Apache-2.0"\n\n[model]'
    project.edit("[model]", classes)
    project.config.write_text(project.config.read_text() + VARIANT + TABLE)
    return project


@pytest.mark.parametrize(
    ("step", "table"),
    [
        ("source:tiny.red", "[source.red]"),
        ("ir:tiny", "[model]"),
        ("tensor:tiny.blue", "[tensor.blue.x]"),
        ("verify:tiny.blue", "[expect.blue]"),
        ("shard:tiny.photos.0001", "[dataset.photos]"),
        ("dataset:tiny.photos", "[dataset.photos]"),
        ("ir:tiny-f16", "[variant.f16]"),
        ("verify:tiny-f16.blue", "[variant.f16]"),
        ("tensor:tiny-f16.red", "[tensor.red.x]"),
    ],
)
def test_a_step_is_declared_by_its_table(project: Project, step: str, table: str) -> None:
    graph = StepGraph(load_project(project.root))
    line = project.config.read_text().splitlines().index(table) + 1
    assert source_location(project.root, graph.steps[step].declared) == f"{CONFIG}:{line}"


@pytest.mark.parametrize(
    ("step", "file"),
    [("guest:classify", "configs/guests/classify.toml"), ("manifest:tiny", CONFIG)],
)
def test_others_name_their_file(project: Project, step: str, file: str) -> None:
    graph = StepGraph(load_project(project.root))
    assert source_location(project.root, graph.steps[step].declared) == file


def test_a_config_that_is_gone_is_named_all_the_same(tmp_path: Path) -> None:
    declared = Declaration(CONFIG, ("model",))
    assert source_location(tmp_path, declared) == CONFIG
    (tmp_path / "configs/fixtures").mkdir(parents=True)
    (tmp_path / CONFIG).write_text(FIXTURE)
    line = FIXTURE.splitlines().index("[model]") + 1
    assert source_location(tmp_path, declared) == f"{CONFIG}:{line}"


def test_every_step_is_of_a_kind_in_the_table_and_says_where_it_is_declared() -> None:
    graph = StepGraph(load_project(ROOT))
    assert {action.kind for action in graph.steps.values()} <= KINDS.keys()
    for action in graph.steps.values():
        assert (ROOT / action.declared.file).is_file(), action.name
        assert action.name == f"{action.kind}:{action.label}"
        assert action.label.split(".")[0] == action.subject.split(".")[0]
