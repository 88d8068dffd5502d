"""A fixture's component is verified with its guest: it must give the same answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.cache.digest import Digest
from tests.fork_server import wasi_nn
from tests.publish.restated import edit
from tests.tiny import Project

pytestmark = pytest.mark.network

SOURCE = "guests/classify/wasi_nn_component.c"
COPIED = "memcpy(buffer, data.data, data.count);"


def test_a_component_that_answers_otherwise_fails_the_step_and_the_validation(
    project: Project,
) -> None:
    project.edit('program = "classify"', 'program = "classify"\ncomponent = true')
    run = project.doit()
    assert run.returncode == 0, run.output
    report = json.loads((project.folder / "evidence/red/report.json").read_text())
    assert (report["component_equal"], report["native_equal"]) == (True, True)
    assert report["seconds"].keys() == {"guest", "component", "native", "golden"}
    card = " ".join((project.folder / "evidence/README.md").read_text().split())
    assert "The outputs of the guest, which are those of its component, equal" in card
    page = (project.root / "artifacts/report.html").read_text()
    assert "byte for byte, guest and component" in page
    component = project.folder / "classify.component.wasm"
    kept = component.read_bytes()

    # One bit of one output.
    source = project.root / SOURCE
    original = source.read_text()
    project.edit(COPIED, f"{COPIED} *(char *)buffer ^= 1;", source)
    run = project.doit("verify:tiny.red")
    assert run.returncode == 1
    (error,) = re.findall(r"^error\[\w+\]: (.*)", run.output, re.M)
    assert error == "The component's output red-1x3-f32.raw differs from the guest's."
    assert run.steps("FAILED") == {"verify:tiny.red"}
    other = component.read_bytes()
    assert other != kept

    source.write_text(original.replace(COPIED, f"{COPIED} exit(1);"))
    run = project.doit("verify:tiny.red")
    assert run.returncode == 1
    assert "The component classify failed on case red." in run.output
    assert "exit code 1" in run.output

    source.write_text(original)
    assert project.doit().returncode == 0
    assert component.read_bytes() == kept
    done = wasi_nn("validate", project.folder, cwd=project.root)
    assert done.returncode == 0, done.stdout
    # Whoever publishes another component with a manifest to match.
    component.write_bytes(other)
    edit(project.folder, lambda manifest: state(manifest, component))
    done = wasi_nn("validate", project.folder, cwd=project.root)
    assert done.returncode == 1
    assert "classify.component.wasm" in done.stdout
    assert "The component's output red-1x3-f32.raw differs from the guest's." in done.stdout


def state(manifest: dict[str, Any], file: Path) -> None:
    """Let a manifest state a file as it is."""
    (entry,) = (each for each in manifest["files"] if each["path"] == file.name)
    digest = Digest.of_file(file)
    entry.update(size=digest.size, sha256=digest.sha256)
