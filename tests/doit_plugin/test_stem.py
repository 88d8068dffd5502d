"""An IR under another name than its fixture's, for guests that have a name fixed."""

from __future__ import annotations

import json

from pipeline.publish.release.derived_files import DERIVED_FILES
from tests.tiny import Project

VARIANT = """
[variant.f16]
precision = "f16"
golden = { executor = "onnxruntime" }
"""


def test_the_ir_has_the_name_that_the_config_gives_it(project: Project) -> None:
    project.edit('precision = "f32"', 'precision = "f32"\nstem = "known"')
    project.config.write_text(project.config.read_text() + VARIANT)
    run = project.doit("manifest:tiny", "manifest:tiny-f16")
    assert run.returncode == 0, run.output
    for folder in (project.folder, project.root / "artifacts/tiny-f16"):
        names = {path.name for path in folder.iterdir()}
        assert {"known.xml", "known.bin", "model.xml", "model.bin"} <= names
        # Those of the name before are gone.
        assert not any(name.startswith("tiny") for name in names)
        for end in ("xml", "bin"):
            assert (folder / f"known.{end}").read_bytes() == (folder / f"model.{end}").read_bytes()
        assert "file known.xml\nfile known.bin\n" in (folder / "fixture.txt").read_text()
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["model"]["stem"] == "known"
        assert {each["path"] for each in manifest["files"]} == names - {
            *("manifest.json", "evidence"),
            *DERIVED_FILES,
        }
