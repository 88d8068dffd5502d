"""`doit kit` writes the conformance kit; it is locked, published and fetched like a fixture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.publish.fetch_release import fetch
from tests.tiny import Project


def test_the_kit_is_written_locked_published_and_fetched(project: Project, tmp_path: Path) -> None:
    run = project.doit("kit")
    assert run.returncode == 0, run.output
    folder = project.root / "artifacts" / "conformance"
    assert "artifacts/conformance: written" in run.output
    assert (project.root / "bundles" / "conformance.tar.gz").is_file()
    again = project.doit("kit", "--check")
    assert again.returncode == 0, again.output
    assert "artifacts/conformance: unchanged" in again.output

    lock = project.root / "artifacts" / "lock.json"
    locked = json.loads(lock.read_bytes())
    digest = locked["conformance"]["digest"]
    assert digest in run.output
    # What `doit lock` writes keeps it.
    assert project.doit("lock").returncode == 0
    assert json.loads(lock.read_bytes())["conformance"]["digest"] == digest
    locked["conformance"]["digest"] = "sha256:" + "0" * 64
    lock.write_text(json.dumps(locked))
    other = project.doit("kit", "--check")
    assert other.returncode == 1
    assert "not the one that is locked" in other.output

    publish = ("publish", "--to", str(tmp_path / "places"), "--as", "1.0", "conformance")
    published = project.doit(*publish)
    assert published.returncode == 0, published.output
    assert digest in published.output
    fetched = fetch(
        "conformance",
        version="1",
        sources=[str(tmp_path / "places")],
        out=tmp_path / "out",
        cache=tmp_path / "cache",
        expect=digest,
    )
    sums = (folder / "SHA256SUMS").read_bytes()
    assert (fetched / "SHA256SUMS").read_bytes() == sums
    assert (fetched / "conformance.py").is_file()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("publish", "--to", "places", "--as", "1", "conformance"), "doit kit"),
        (("kit", "tiny"), "takes no names"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(
    project: Project, arguments: tuple[str, ...], error: str
) -> None:
    run = project.doit(*arguments)
    assert run.returncode != 0
    assert error in run.output
    assert "Traceback" not in run.output
