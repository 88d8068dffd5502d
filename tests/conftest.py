"""What several rooms' tests share: a small project, and toolchains made once for the session."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.checkout import copy_checkout
from tests.fork_server import python_variables
from tests.programs import missing_programs, require_program
from tests.tiny import Project, Run, make_project

pytest_plugins = ["pytester"]

# No test measures time, so none fails on a busy machine.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


_BYTECODE = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give the session's processes a place for bytecode where Python may not write it anywhere.

    Else each of thousands of them would compile the same modules.
    """
    if "PYTHONDONTWRITEBYTECODE" in os.environ and "PYTHONPYCACHEPREFIX" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="bytecode-", ignore_cleanup_errors=True)
        config.stash[_BYTECODE] = folder
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete the session's bytecode."""
    if _BYTECODE in config.stash:
        config.stash[_BYTECODE].cleanup()


@pytest.fixture(scope="session")
def _python_variables() -> dict[str, str]:
    return python_variables(os.environ)


@pytest.fixture(autouse=True)
def _same_environment(_python_variables: dict[str, str]) -> Iterator[None]:
    """Undo what a test did in this process to the variables of Python: no run would be forked."""
    yield
    for name in python_variables(os.environ).keys() | _python_variables.keys():
        if name in _python_variables:
            os.environ[name] = _python_variables[name]
        else:
            os.environ.pop(name, None)


# What runs only where -m speaks of it.
APART = ("heavy", "slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is heavy or slow, unless the call's own -m speaks of it."""
    apart = [mark for mark in APART if mark not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, apart))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


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
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the session that all of its processes share."""
    base, run = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = base.parent / f"shared-{run}" if run else base / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def once(shared: Path, name: str) -> Iterator[Path | None]:
    """Yield a folder to be made in the block, or None where another process has made it."""
    with FileLock(shared / f"{name}.lock"):
        done = shared / f"{name}.done"
        yield None if done.exists() else shared / name
        done.touch()


@pytest.fixture(scope="session")
def toolchains(shared: Path) -> Path:
    """A folder of toolchains that lives as long as the session, or longer where one is named."""
    named = os.environ.get("WASI_NN_TOOLCHAINS")
    return Path(named) if named else shared / "toolchains"


@pytest.fixture(scope="session")
def built(shared: Path, toolchains: Path) -> Project:
    """A small project that was built once; tests copy it and do not change it."""
    with once(shared, "built") as folder:
        if folder:
            run = make_project(folder / "project", toolchains).doit()
            assert run.returncode == 0, run.output
    return Project(shared / "built/project")


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A built project of the test's own."""
    copy = Project(tmp_path / "ein Projekt")
    shutil.copytree(built.root, copy.root)
    return copy


@pytest.fixture(scope="session")
def shipped(
    shared: Path, toolchains: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Run]:
    """A fresh copy of this project, for each test process, and what its first `doit` printed."""
    with once(shared, "shipped") as folder:
        if folder:
            run = _copy_of_this_project(folder / "project", toolchains).doit_process(seconds=900)
            (folder / "run.json").write_text(json.dumps(asdict(run)))
    run = Run(**json.loads((shared / "shipped/run.json").read_text()))
    own = tmp_path_factory.mktemp("shipped") / "project"
    shutil.copytree(shared / "shipped/project", own)
    return Project(own), run


def _copy_of_this_project(root: Path, toolchains: Path) -> Project:
    copy_checkout(root)
    settings = root / "configs/project.toml"
    lines = [
        line for line in settings.read_text().splitlines() if not line.startswith("toolchains")
    ]
    settings.write_text("\n".join([*lines, f"toolchains = {str(toolchains)!r}"]) + "\n")
    return Project(root)
