"""What a place holds is listed, several fixtures are fetched at once, and near names suggested."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from tests.fork_server import wasi_nn


@pytest.fixture
def published(tmp_path: Path, fixture_folder: Path) -> Path:
    """A folder with two fixtures, one of them in two versions."""
    place = open_destination(str(tmp_path / "published"))
    for name, version in (("tiny", "1.10"), ("tiny", "1.2"), ("other", "3")):
        release = release_of(fixture_folder.rename(fixture_folder.with_name(name)), version)
        publish_all(place, [(release, fixture_folder.with_name(name))], dry_run=False,
                    progress=lambda _: None)  # fmt: skip
        fixture_folder.with_name(name).rename(fixture_folder)
    return tmp_path / "published"


def test_the_list_has_names_versions_and_sizes(published: Path) -> None:
    done = wasi_nn("fetch", "--list", "--from", published, cwd=published.parent)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["other", "3"], ["tiny", "1.2"], ["tiny", "1.10"]]
    assert rows[0][2:] == ["0.5", "MB"]


def test_several_fixtures_are_fetched_at_once(published: Path, tmp_path: Path) -> None:
    names = ("tiny@1.2", "other")
    done = wasi_nn("fetch", *names, "--from", published, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["out/tiny", "out/other"]
    assert (tmp_path / "out/tiny/tiny.bin").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("tinny",), "Did you mean tiny?"),
        ((), "No fixture is named."),
        (("tiny", "other", "--expect", "sha256:" + "0" * 64), "--expect needs a single fixture."),
    ],
)
def test_what_cannot_be_fetched_is_told(
    published: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = wasi_nn("fetch", *arguments, "--from", published, cwd=published.parent)
    assert done.returncode == 1
    assert told in done.stderr


def test_a_list_needs_a_source_that_has_one(tmp_path: Path) -> None:
    done = wasi_nn("fetch", "--list", cwd=tmp_path)
    assert (done.returncode, "No source to list." in done.stderr) == (1, True)
    done = wasi_nn("fetch", "--list", "--from", "oci://127.0.0.1:9/nn", cwd=tmp_path)
    assert done.returncode == 1
    assert "This kind of source does not list its fixtures." in done.stderr
