"""A variant is built from the sources of its fixture, which are fetched once."""

from __future__ import annotations

import json

from tests.tiny import Project

F16 = """
[variant.f16]
precision = "f16"
golden = { executor = "onnxruntime" }
"""


def test_a_variant_shares_the_sources_and_has_files_of_its_own(project: Project) -> None:
    project.config.write_text(project.config.read_text() + F16)
    run = project.doit("manifest:tiny-f16")
    assert run.returncode == 0, run.output
    assert not any(step.startswith("source:") for step in run.steps("built"))
    assert {"ir:tiny-f16", "verify:tiny-f16.red"} <= run.steps("built")
    # Its tensors are those of the fixture, which the cache has.
    assert "tensor:tiny-f16.red" in run.steps("restored")
    folder = project.root / "artifacts/tiny-f16"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["model"]["precision"] == "f16"
    assert b'element_type="f16"' in (folder / "tiny-f16.xml").read_bytes()
    assert project.doit("manifest:tiny-f16").output.startswith("nothing to do")


def test_what_only_a_variant_uses_withdraws_nothing_of_the_fixture(project: Project) -> None:
    green = 'expect.red = { top1 = 0, labels = "labels" }\n'
    source = '[source.labels]\nurls = ["file:labels.txt"]\nlicense = "Apache-2.0"\n\n[model]'
    (project.root / "labels.txt").write_text("red\ngreen\nblue\n")
    project.edit("[model]", source)
    project.config.write_text(project.config.read_text() + F16 + green)
    assert project.doit().output.startswith("nothing to do")
    run = project.doit("manifest:tiny-f16")
    assert run.returncode == 0, run.output
    assert "source:tiny.labels" in run.steps("built")
    assert project.doit().output.startswith("nothing to do")


def test_a_source_that_changes_withdraws_what_its_variants_say(project: Project) -> None:
    project.config.write_text(project.config.read_text() + F16)
    assert project.doit("manifest:tiny-f16").returncode == 0
    (project.root / "red.png").write_bytes(b"no picture")
    assert project.doit().returncode != 0
    assert not (project.root / "artifacts/tiny-f16/manifest.json").exists()
