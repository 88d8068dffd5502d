"""A release's identity: what counts, and what cannot be one."""

from __future__ import annotations

import os
import string
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.publish.release.release import check_path, decode, release_of


def test_the_root_is_the_digest_of_the_sums(fixture_folder: Path) -> None:
    import hashlib

    release = release_of(fixture_folder, "1.0")
    assert release.digest == f"sha256:{hashlib.sha256(release.sums()).hexdigest()}"
    assert [file.path for file in release.evidence] == ["evidence/red/sandbox/probabilities.raw"]


def test_the_root_is_of_names_and_bytes_alone(fixture_folder: Path) -> None:
    before = release_of(fixture_folder, "1.0").digest
    os.utime(fixture_folder / "tiny.xml", (0, 0))
    (fixture_folder / "SHA256SUMS").write_text("anything")
    assert release_of(fixture_folder, "2.0").digest == before
    (fixture_folder / "tiny.xml").rename(fixture_folder / "renamed.xml")
    assert release_of(fixture_folder, "1.0").digest != before


def test_a_release_is_read_back_as_it_was(fixture_folder: Path) -> None:
    release = release_of(fixture_folder, "1.0")
    assert decode(release.encode(), "here") == release


def test_a_link_is_no_file_of_a_release(fixture_folder: Path) -> None:
    (fixture_folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(PipelineError, match="A release may only contain regular files"):
        release_of(fixture_folder, "1.0")


@given(st.text(alphabet=string.printable + "é\0", max_size=12))
def test_a_path_that_passes_is_inside_its_folder_everywhere(path: str) -> None:
    try:
        check_path(path, "here")
    except PipelineError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        parsed = kind(path)
        assert not parsed.is_absolute()
        assert not parsed.drive
        assert ".." not in parsed.parts
        assert str(parsed).replace("\\", "/") == path


@pytest.mark.parametrize("version", ["", ".1", "1.", "a/b", "1 0", "1\n", "x" * 65, "é"])
def test_what_cannot_be_a_version(fixture_folder: Path, version: str) -> None:
    with pytest.raises(PipelineError, match="Invalid version"):
        release_of(fixture_folder, version)
