"""What an earlier config published goes; what a person put there stays."""

from __future__ import annotations

from pathlib import Path

from pipeline.publish.release.stale_files import drop_stale, note_published


def test_what_is_no_longer_published_goes(tmp_path: Path) -> None:
    folder, memory = tmp_path / "fixture", tmp_path / "memory"
    evidence = folder / "evidence" / "old case"
    evidence.mkdir(parents=True)
    for name in ("old.bgr", "new.bgr", "notes.txt", "evidence/old case/report.json"):
        (folder / name).write_text("x")
    note_published(folder, [folder / "old.bgr", evidence], memory)
    note_published(folder, [folder / "new.bgr"], memory)
    assert drop_stale(folder, [folder / "new.bgr"], memory) == [evidence, folder / "old.bgr"]
    assert {path.name for path in folder.iterdir()} == {"new.bgr", "notes.txt", "evidence"}
    assert drop_stale(folder, [folder / "new.bgr"], memory) == []


def test_what_is_gone_already_is_fine(tmp_path: Path) -> None:
    note_published(tmp_path, [tmp_path / "gone" / "file"], tmp_path / "memory")
    (tmp_path / "gone").write_text("a file now")
    assert drop_stale(tmp_path, [], tmp_path / "memory") == [tmp_path / "gone" / "file"]
