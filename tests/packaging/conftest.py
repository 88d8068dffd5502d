"""The wheel of this checkout, and environments that it is installed in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.checkout import copy_checkout
from tests.conftest import once
from tests.packaging.environment import Installed, install


@pytest.fixture(scope="session")
def distributions(shared: Path) -> Path:
    """The folder with the wheel and the sdist of this checkout."""
    with once(shared, "distributions") as folder:
        if folder:
            tree = folder / "tree"
            # Not in the checkout, where setuptools leaves folders that would get into the next.
            copy_checkout(tree)
            subprocess.run(
                [find_uv_bin(), "build", "--quiet", "--python", sys.executable, "-o", "../dist"],
                cwd=tree,
                check=True,
            )
    return shared / "distributions/dist"


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    """The wheel, which is built from the sdist."""
    [path] = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def full(wheel: Path, shared: Path) -> Installed:
    """An environment with the wheel and what `doit` needs."""
    with once(shared, "full install") as folder:
        if folder:
            install(folder, wheel, "build", "pip")
    return Installed(shared / "full install")


@pytest.fixture(scope="session")
def light(wheel: Path, shared: Path) -> Installed:
    """An environment with the wheel and what it requires, and pytest."""
    with once(shared, "light install") as folder:
        if folder:
            install(folder, wheel, "", "pytest")
    return Installed(shared / "light install")
