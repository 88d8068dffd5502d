"""What an earlier config published goes; what a person put there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cache.owned_folder import claim
from pipeline.publish.release.stale_files import drop_stale, note_published


def test_what_is_no_longer_published_goes(tmp_path: Path) -> None:
    folder, memory = tmp_path / "fixture", tmp_path / "memory"
    evidence = folder / "evidence" / "old case"
    evidence.mkdir(parents=True)
    for name in ("old.bgr", "new.bgr", "notes.txt", "evidence/old case/report.json"):
        (folder / name).write_text("x")
    claim(tmp_path, known=("fixture",))
    note_published(folder, [folder / "old.bgr", evidence], memory)
    note_published(folder, [folder / "new.bgr"], memory)
    assert drop_stale(folder, [folder / "new.bgr"], memory) == [evidence, folder / "old.bgr"]
    assert {path.name for path in folder.iterdir()} == {"new.bgr", "notes.txt", "evidence"}
    assert drop_stale(folder, [folder / "new.bgr"], memory) == []


def test_what_is_gone_already_is_fine(tmp_path: Path) -> None:
    claim(tmp_path)
    folder, memory = tmp_path / "fixture", tmp_path / "memory"
    note_published(folder, [folder / "gone" / "file"], memory)
    folder.mkdir()
    (folder / "gone").write_text("a file now")
    assert drop_stale(folder, [], memory) == [folder / "gone" / "file"]


@pytest.mark.parametrize("name", ["..%2Fmine", "a%2F..%2F..%2Fmine", "%2Ftmp%2Fmine", ".."])
def test_a_note_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    folder, memory, mine = tmp_path / "fixture", tmp_path / ".steps/fixture/n", tmp_path / "mine"
    claim(tmp_path)
    folder.mkdir()
    memory.mkdir(parents=True)
    mine.write_text("mine")
    if name != "..":
        (memory / name.replace("%2Ftmp", str(tmp_path).replace("/", "%2F"))).touch()
    assert drop_stale(folder, [], memory) == []
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "link", ["fixture", "fixture/evidence", "steps/fixture", "steps/fixture/n"]
)
def test_no_link_is_followed_to_what_was_noted(tmp_path: Path, link: str) -> None:
    folder, memory = tmp_path / "fixture", tmp_path / "steps/fixture/n"
    claim(tmp_path)
    (folder / "evidence").mkdir(parents=True)
    (folder / "evidence/report.json").write_text("mine")
    note_published(folder, [folder / "evidence/report.json"], memory)
    (tmp_path / link).rename(tmp_path / "away")
    (tmp_path / link).symlink_to(tmp_path / "away", target_is_directory=True)
    assert drop_stale(folder, [], memory) == []
    assert (folder / "evidence/report.json").read_text() == "mine"
    assert len(list(memory.iterdir())) == 1
