"""`doit clean` removes what steps have made, says so in a line a fixture, and follows no link."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import once
from tests.tiny import Project

# What a build keeps besides its steps.
_STEPS = ("CACHEDIR.TAG", "code", "history", "events", "remembered")
_KEPT = (".cache", *(f".steps/{name}" for name in _STEPS))


def below(folder: Path) -> set[str]:
    """Return all that lies below the artifacts but what runs have noted, and the cache."""
    return {
        name
        for path in folder.rglob("*")
        if not (name := path.relative_to(folder).as_posix()).startswith(_KEPT)
    }


@pytest.fixture(scope="session")
def built_twice(shared: Path, built: Project) -> Project:
    """The project with a second fixture that was built, and whose config is gone."""
    with once(shared, "built-twice") as folder:
        if folder:
            project = Project(folder / "project")
            shutil.copytree(built.root, project.root)
            config = project.config.with_name("other.toml")
            config.write_text(project.config.read_text())
            run = project.doit()
            assert run.returncode == 0, run.output
            config.unlink()
    return Project(shared / "built-twice/project")


@pytest.fixture
def other(built_twice: Project, tmp_path: Path) -> Project:
    """A copy of that project."""
    copy = Project(tmp_path / "ein Projekt")
    shutil.copytree(built_twice.root, copy.root)
    return copy


def test_a_line_for_each_fixture_and_no_folder_is_left(project: Project) -> None:
    (project.root / "artifacts/report.html").unlink()
    before = below(project.root / "artifacts")
    run = project.doit("clean", "--dry-run")
    assert run.returncode == 0
    said = r"tiny: {0} \d+ files, [\d.]+ MiB\nguest:classify: {0} 2 files, [\d.]+ MiB\n"
    assert re.fullmatch(said.format("would remove"), run.output)
    assert below(project.root / "artifacts") == before
    run = project.doit("clean")
    assert re.fullmatch(said.format("removed"), run.output)
    assert below(project.root / "artifacts") == {".steps"}
    assert project.doit("clean").output == "nothing to clean\n"
    assert {"ir:tiny", "verify:tiny.red", "guest:classify"} <= project.doit().steps("restored")


def test_one_task_leaves_the_others_alone(project: Project) -> None:
    run = project.doit("clean", "tensor:tiny.red")
    # With it goes the manifest, which vouches for it.
    assert run.output.startswith("tiny: removed 2 files, ")
    assert not (project.folder / "red-1x3x8x8-f32.rgb").exists()
    assert (project.folder / "tiny.xml").exists()
    assert (project.root / "artifacts/.steps/tiny/drawn").exists()


def test_what_a_person_put_there_stays(project: Project) -> None:
    (project.folder / "notes.txt").write_text("mine")
    assert project.doit("clean").returncode == 0
    assert below(project.root / "artifacts") == {".steps", "tiny", "tiny/notes.txt"}


def test_a_guest_takes_the_manifests_along_that_vouch_for_it(project: Project) -> None:
    said = r"guest:classify: removed 2 files, [\d.]+ MiB\ntiny: removed 1 file, [\d.]+ MiB\n"
    assert re.fullmatch(said, project.doit("clean", "guest:classify").output)
    assert not (project.folder / "manifest.json").exists()


def test_clean_and_forget_runs_all_again(project: Project) -> None:
    assert project.doit("clean", "--forget").returncode == 0
    assert {"ir:tiny", "verify:tiny.red"} <= project.doit().steps("built")


def test_clean_follows_no_link(project: Project, tmp_path: Path) -> None:
    away = tmp_path / "away"
    project.folder.rename(away)
    project.folder.symlink_to(away, target_is_directory=True)
    before = below(away)
    run = project.doit("clean")
    assert run.returncode == 0
    assert re.search(r"tiny: kept, \d+ targets are behind a link\n", run.output)
    assert below(away) == before
    assert project.folder.is_symlink()


def test_a_target_that_is_a_link_goes_and_what_it_leads_to_stays(
    project: Project, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    (project.folder / "evidence/red").rename(away)
    (project.folder / "evidence/red").symlink_to(away, target_is_directory=True)
    assert project.doit("clean").returncode == 0
    assert not project.folder.exists()
    assert (away / "report.json").exists()


def test_the_tasks_of_others_are_cleaned_as_doit_does(tmp_path: Path) -> None:
    (tmp_path / "dodo.py").write_text(
        "def task_a():\n    return {'actions': ['touch a'], 'targets': ['a'], 'clean': True}\n"
    )
    theirs = Project(tmp_path)
    assert theirs.doit().returncode == 0
    assert theirs.doit("clean").output == "a - removing file 'a'\n"
    assert not (tmp_path / "a").exists()


def test_status_lists_what_no_config_declares(other: Project) -> None:
    (line,) = (each for each in other.doit("status").output.splitlines() if each.startswith("left"))
    assert re.match(r"left +other +[\d.]+ MiB +no config declares it; to remove it: ", line)
    (left,) = json.loads(other.doit("status", "--json").output)["left"]
    assert left["name"] == "other"
    assert left["files"] > 20
    other.config.with_name("other.toml").write_text(other.config.read_text())
    assert json.loads(other.doit("status", "--json").output)["left"] == []


def test_what_no_config_declares_is_cleaned_and_nothing_else(other: Project) -> None:
    artifacts = other.root / "artifacts"
    before = below(artifacts)
    theirs = {name for name in before if re.match(r"(\.steps/)?other\b", name)}
    dry = other.doit("clean", "--stale", "--dry-run").output
    assert re.fullmatch(r"other: would remove \d+ files, [\d.]+ MiB\n", dry)
    assert below(artifacts) == before
    run = other.doit("clean", "--stale")
    assert run.output == dry.replace("would remove", "removed")
    assert below(artifacts) == before - theirs
    assert not list((artifacts / ".steps/history").glob("*other*"))
    assert other.doit("clean", "--stale").output == "nothing to clean\n"
    assert other.doit().output.startswith("nothing to do")


def test_only_the_named_ones_are_cleaned(other: Project) -> None:
    run = other.doit("clean", "--stale", "tiny")
    assert run.returncode == 1
    assert run.output.startswith(
        "error[usage]: There are no files of a fixture 'tiny' without a config."
    )
    assert other.folder.exists()
    assert other.doit("clean", "--stale", "other").output.startswith("other: removed ")


def test_what_a_person_put_into_it_or_made_stays(other: Project) -> None:
    artifacts = other.root / "artifacts"
    (artifacts / "other/notes.txt").write_text("mine")
    (artifacts / "mine").mkdir()
    (artifacts / "mine/manifest.json").write_text("{}")
    assert other.doit("clean", "--stale").output.startswith("other: removed ")
    assert {path.name for path in (artifacts / "other").iterdir()} == {"notes.txt"}
    assert (artifacts / "mine/manifest.json").exists()


@pytest.mark.parametrize(
    "link", ["other", ".steps/other", "other/evidence", ".steps/other/published"]
)
def test_no_link_is_followed(other: Project, tmp_path: Path, link: str) -> None:
    place, away = other.root / "artifacts" / link, tmp_path / "away"
    place.rename(away)
    place.symlink_to(away, target_is_directory=True)
    before = below(away)
    assert other.doit("clean", "--stale").returncode == 0
    assert below(away) == before


@pytest.mark.parametrize("name", ["..%2F..%2Fmine", "%2Fetc%2Fmine", "..", "tiny%2F..%2F..%2Fmine"])
def test_no_note_leads_elsewhere(other: Project, name: str) -> None:
    mine = other.root / "mine"
    mine.write_text("mine")
    notes = other.root / "artifacts/.steps/other/published"
    if name != "..":
        (notes / name).touch()
    history = other.root / "artifacts/.steps/history"
    (history / f"source%3A{name.replace('.', '%2E')}.x.made.json").write_text("{}")
    (history / "source%3A..%2F..%2Fmine.x.made.json").write_text("{}")
    assert other.doit("status").returncode == 0
    assert other.doit("clean", "--stale").output.startswith("other: removed ")
    assert mine.read_text() == "mine"
    assert other.config.exists()
