"""Nothing is deleted but what lies in a folder with our marker, and behind no link."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipeline.cache.cache import Cache
from pipeline.cache.confined_path import confined, outside
from pipeline.cache.garbage_collection import collect_garbage
from pipeline.cache.owned_folder import (
    INNER_MARKER,
    MARKER,
    NotOwnedError,
    claim,
    is_owned,
    remove,
)
from tests.tiny import ROOT

# They delete a temporary folder that the same function, or its caller, has made.
TEMPORARY = {
    "cache/temporary.py",
    "execution/dask/dask_worker.py",
    "execution/dask/step_plugin.py",
    "publish/fetch_release.py",
    "scratch.py",
    "toolchain/environment.py",
    "toolchain/unused_environments.py",
    "verify/score.py",
}


def test_a_folder_is_claimed_when_it_is_new_or_empty_or_has_known_names(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "known" / "cas").mkdir(parents=True)
    for name in ("new", "empty", "known"):
        claim(tmp_path / name, known={"cas"})
        assert (tmp_path / name / MARKER).read_text().startswith("Signature: 8a477f597d28d172789f")
        claim(tmp_path / name)
    (tmp_path / "home" / "photos").mkdir(parents=True)
    (tmp_path / "home" / "cas").mkdir()
    with pytest.raises(NotOwnedError, match="such as photos"):
        claim(tmp_path / "home", known={"cas"})
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["cas", "photos"]


@pytest.mark.parametrize("mark", [b"", b"Signature: 8a477f597d28d172789f06886806bc55\n"])
def test_a_marker_of_another_program_is_not_ours(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / MARKER).write_bytes(mark)
    (tmp_path / "file").touch()
    with pytest.raises(NotOwnedError):
        claim(tmp_path)
    with pytest.raises(NotOwnedError):
        remove(tmp_path / "file", tmp_path)
    (tmp_path / MARKER).unlink()
    claim(tmp_path / "ours")
    (tmp_path / MARKER).symlink_to(tmp_path / "ours" / MARKER)
    assert not is_owned(tmp_path)


def test_a_part_of_a_project_is_claimed_unless_a_link_leads_to_it(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for folder in (project / "artifacts", home):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    claim(project / "artifacts", within=project, marker=INNER_MARKER)
    assert is_owned(project / "artifacts")
    (project / "linked").symlink_to(home)
    with pytest.raises(NotOwnedError):
        claim(project / "linked", within=project, marker=INNER_MARKER)
    assert [path.name for path in home.iterdir()] == ["file"]


def test_only_what_lies_in_the_folder_is_removed(tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    claim(owned)
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    (tmp_path / "outside" / "file").touch()
    (owned / "link").symlink_to(tmp_path / "outside")
    (owned / "folder" / "deep").mkdir(parents=True)
    for path in (
        owned / ".." / "outside",
        owned / "folder" / ".." / ".." / "outside",
        tmp_path / "outside",
        owned / "link" / "file",
        owned / "link" / "deep",
        owned,
    ):
        with pytest.raises(NotOwnedError):
            remove(path, owned)
    for name in ("link", "folder", "missing", "missing/deep"):
        remove(owned / name, owned)
    assert [path.name for path in owned.iterdir()] == [MARKER]
    assert (tmp_path / "outside" / "file").exists()


def test_somebodys_home_as_a_cache_is_an_error(tmp_path: Path) -> None:
    for name in ("downloads/photo.jpg", "cas/aa/mine", "tmp/mine.lock", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    before = sorted(tmp_path.rglob("*"))
    cache = Cache(tmp_path)
    with pytest.raises(NotOwnedError, match=r"notes\.txt"):
        collect_garbage(cache, 0)
    with pytest.raises(NotOwnedError), cache.lock("x", lambda _: None):
        pass
    cache.temporary.sweep()
    cache.close()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_cache_of_before_there_was_a_marker_is_still_one(tmp_path: Path) -> None:
    for name in ("ac", "cas", "downloads", "locks", "tmp"):
        (tmp_path / name).mkdir()
    for name in ("digests.sqlite", "digests.sqlite-wal"):
        (tmp_path / name).touch()
    with Cache(tmp_path).temporary.folder():
        assert is_owned(tmp_path)


def test_a_path_of_a_file_leads_to_something_in_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "secret").touch()
    (root / "folder" / "file").touch()
    (root / "inner").symlink_to("folder/file")
    (root / "outer").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    for path in ("folder/file", "inner", "missing"):
        assert confined(root, path) == (root / path, "")
    for path in ("", "..", "../secret", "/etc/passwd", "a//b", "outer", "up/secret", "loop"):
        assert confined(root, path)[1]
    assert outside(root, tmp_path / "secret") == "a link that leads out of root"


def test_folders_are_deleted_in_one_place() -> None:
    found = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        names = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute)
        }
        if names & {"rmtree", "removedirs"}:
            found.add(path.relative_to(ROOT / "pipeline").as_posix())
    assert found - TEMPORARY == {"cache/owned_folder.py"}
