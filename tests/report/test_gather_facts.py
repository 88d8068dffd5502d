"""What the report reads of a fixture: whatever lies there, it says what it can and ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.report.html import gather_facts
from pipeline.report.html.gather_facts import _Manifest


@pytest.mark.parametrize(
    "data",
    [
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"files":[{"path":"a","sha256":"b","size":1' + b"0" * 400 + b"}]}",
    ],
)
def test_a_manifest_that_no_build_can_have_written_is_as_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(data)
    assert gather_facts._read(path, _Manifest) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_in_place_of_a_manifest_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    assert gather_facts._read(tmp_path / "manifest.json", _Manifest) is None
