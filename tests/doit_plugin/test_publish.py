"""`doit publish` and `wasi-nn fetch`: from a built fixture to another folder, and run there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.tiny import Project


def test_what_is_built_is_published_fetched_and_runs(project: Project, tmp_path: Path) -> None:
    place = tmp_path / "published"
    dry = project.doit("publish", "--to", str(place), "--as", "1.0", "--dry-run")
    assert dry.returncode == 0, dry.output
    assert "would be published" in dry.output
    assert not place.exists()
    run = project.doit("publish", "--to", str(place), "--as", "1.0")
    assert run.returncode == 0, run.output
    assert "tiny 1.0: published" in run.output
    again = project.doit("publish", "--to", str(place), "--as", "1.0", "--json")
    (result,) = json.loads(again.output)
    assert (result["published"], result["moved"]) == (False, 0)
    command = [sys.executable, "-m", "pipeline.cli.main"]
    environment = {"WASI_NN_CACHE": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
    fetched = subprocess.run(
        [*command, "fetch", "tiny@1.0", "--from", str(place), "--expect", result["root"]],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(fetched.stdout.strip())
    ran = subprocess.run(
        [*command, "run", "--dir", f"{folder}::fixture", str(folder / "classify.wasm"), "red"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ran.stdout


def test_what_is_not_built_is_not_published(project: Project, tmp_path: Path) -> None:
    config = project.root / "configs" / "fixtures" / "tiny.toml"
    config.write_text(config.read_text().replace('description = "', 'description = "another '))
    run = project.doit("publish", "--to", str(tmp_path / "place"), "--as", "1.0")
    assert run.returncode == 1
    assert "Build it first" in run.output
    assert not (tmp_path / "place").exists()


def test_what_is_missing_is_told(project: Project, tmp_path: Path) -> None:
    assert "--to is missing" in project.doit("publish", "--as", "1.0").output
    assert "--as is missing" in project.doit("publish", "--to", str(tmp_path)).output
    wrong = project.doit("publish", "--to", str(tmp_path), "--as", "a/b")
    assert "Invalid version" in wrong.output


def test_a_licence_that_nobody_knows_is_told(project: Project, tmp_path: Path) -> None:
    to = ["publish", "--to", str(tmp_path / "place"), "--as", "1.0", "--dry-run"]
    assert "warning: " not in project.doit(*to).output
    text = project.config.read_text()
    project.config.write_text(text.replace('"Apache-2.0"', '"LicenseRef-unknown"', 1))
    assert project.doit().returncode == 0
    run = project.doit(*to)
    assert run.returncode == 0
    [line] = [line for line in run.output.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: tiny: the licence of ")
    assert line.endswith(
        " is unknown; add it to configs/fixtures/tiny.toml before others rely on it."
    )
