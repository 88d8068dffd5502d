"""What several rooms' tests share: a small project, and toolchains made once for the session."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.programs import missing_programs, require_program
from tests.tiny import ROOT, Project, Run, make_project

pytest_plugins = ["pytester"]

# No test measures time, so none fails on a busy machine.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is heavy, unless the call's own -m speaks of it."""
    if "heavy" in config.option.markexpr:
        return
    heavy = [item for item in items if item.get_closest_marker("heavy")]
    if heavy:
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in heavy]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a program which is not installed; in CI fail it."""
    for mark in item.iter_markers("needs"):
        require_program(*mark.args)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Say in one line which programs the skipped tests need, when all else was said."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [each.longrepr[2] for each in skipped if isinstance(each.longrepr, tuple)]
    if line := missing_programs(reasons):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def toolchains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toolchains that lives as long as the session, or longer where one is named."""
    named = os.environ.get("WASI_NN_TOOLCHAINS")
    return Path(named) if named else tmp_path_factory.mktemp("toolchains")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Project:
    """A small project that was built once; tests copy it and do not change it."""
    project = make_project(tmp_path_factory.mktemp("built") / "project", toolchains)
    run = project.doit()
    assert run.returncode == 0, run.output
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A built project of the test's own."""
    copy = Project(tmp_path / "ein Projekt")
    shutil.copytree(built.root, copy.root)
    return copy


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> tuple[Project, Run]:
    """A fresh copy of this project, and what its first `doit` printed."""
    root = tmp_path_factory.mktemp("shipped") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    settings = root / "configs/project.toml"
    lines = [
        line for line in settings.read_text().splitlines() if not line.startswith("toolchains")
    ]
    settings.write_text("\n".join([*lines, f"toolchains = {str(toolchains)!r}"]) + "\n")
    project = Project(root)
    return project, project.doit(seconds=900)
