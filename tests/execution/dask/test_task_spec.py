"""What a client and a worker of a cluster compare before a step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.execution.dask import task_spec
from pipeline.execution.dask.task_spec import versions


def test_every_change_of_the_code_is_another_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(task_spec, "PACKAGE", tmp_path)
    (tmp_path / "room").mkdir()
    module = tmp_path / "room" / "module.py"
    module.write_text("one")
    (tmp_path / "note.txt").write_text("no code")
    first = versions(())
    assert versions(()) == first

    os.utime(module, (1, 1))
    (tmp_path / "note.txt").write_text("none either")
    assert versions(()) == first

    module.write_text("two")
    second = versions(())
    assert second != first
    (tmp_path / "more.py").touch()
    third = versions(())
    assert third not in (first, second)
    module.rename(tmp_path / "room" / "moved.py")
    assert versions(()) not in (first, second, third)
