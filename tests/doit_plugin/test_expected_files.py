"""A case whose output is compared with stored arrays, which the folder then holds."""

from __future__ import annotations

import json

import numpy
import pytest

from tests.tiny import Project, published

RED = """\
[expect.red]
vector = { source = "direction", cosine = 0.999 }
mask = { source = "bright" }
"""
SOURCE = """\
[source.direction]
urls = ["file:direction.npy"]
license = "Apache-2.0"

[source.bright]
urls = ["file:bright.npy"]
license = "Apache-2.0"

[model]
"""


@pytest.fixture
def stored(project: Project) -> Project:
    """A project with the vector and the mask of its case ``red``."""
    project.edit("[expect.red]\ntop1 = 0\n", RED)
    project.edit("[model]\n", SOURCE)
    # Where the output is above a half: everywhere; and its direction, without the mean.
    numpy.save(project.root / "bright.npy", numpy.ones((1, 3), numpy.uint8))
    numpy.save(project.root / "direction.npy", numpy.array([240.0, 10.0, 10.0]))
    return project


def test_it_is_verified_validated_and_shipped(stored: Project) -> None:
    run = stored.doit()
    assert run.returncode == 0, run.output
    assert (stored.folder / "red-vector.npy").read_bytes() == (
        stored.root / "direction.npy"
    ).read_bytes()
    manifest = json.loads((stored.folder / "manifest.json").read_text())
    files = {each["path"] for each in manifest["files"]}
    assert {"red-vector.npy", "red-mask.npy"} <= files
    assert "cosine to a vector" in (stored.folder / "README.md").read_text()
    assert stored.doit("lock").returncode == 0
    valid = stored.doit("validate")
    assert valid.returncode == 0, valid.output
    assert not stored.doit().steps("built")


def test_another_stored_vector_fails_the_case(stored: Project) -> None:
    assert stored.doit().returncode == 0
    before = published(stored)
    numpy.save(stored.root / "direction.npy", numpy.array([10.0, 240.0, 10.0]))
    run = stored.doit()
    assert run.returncode == 1
    assert "The output has another direction than the stored vector." in run.output
    assert run.steps("FAILED") == {"verify:tiny.red"}
    # The manifest is no longer there, and nothing claims to be verified.
    assert "manifest.json" in before.keys() - published(stored).keys()


def test_a_release_whose_vector_was_exchanged_is_not_valid(stored: Project) -> None:
    assert stored.doit().returncode == 0
    assert stored.doit("lock").returncode == 0
    numpy.save(stored.folder / "red-vector.npy", numpy.array([10.0, 240.0, 10.0]))
    run = stored.doit("validate")
    assert run.returncode == 1
    assert "red-vector.npy" in run.output


def test_what_is_no_array_is_one_error(stored: Project) -> None:
    (stored.root / "bright.npy").write_bytes(b"\x89PNG")
    run = stored.doit()
    assert run.returncode == 1
    assert "red-mask.npy is not an array to compare with." in run.output
    assert "Traceback" not in run.output
