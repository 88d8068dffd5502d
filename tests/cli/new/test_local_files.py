"""Files come into the project all, or not at all; what they replace is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cache.digest import Digest
from pipeline.cli.new.local_files import LocalFile, Way, imported_files, to_local_files
from pipeline.cli.new.prompts import Answer, Question
from pipeline.errors import PipelineError


def held(tmp_path: Path, *names: str) -> list[LocalFile]:
    found = []
    for name in names:
        origin = tmp_path / name
        origin.write_text(f"new {name}")
        found.append(
            LocalFile(path=f"models/net/{name}", digest=Digest.of_file(origin), origin=origin)
        )
    return found


def listed(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@pytest.mark.parametrize("way", ["copy", "link"])
@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_what_was_there_comes_back_when_the_rest_fails(
    tmp_path: Path, way: Way, ending: type[BaseException]
) -> None:
    root = tmp_path / "project"
    (root / "models/net").mkdir(parents=True)
    (root / "models/net/a.onnx").write_text("precious")
    files = held(tmp_path, "a.onnx", "b.onnx")
    seen = ""

    def fail() -> None:
        nonlocal seen
        seen = (root / "models/net/a.onnx").read_text()
        raise ending

    with pytest.raises(ending), imported_files(root, files, way, force=True):
        fail()
    assert seen == "new a.onnx"
    assert listed(root) == ["models", "models/net", "models/net/a.onnx"]
    assert (root / "models/net/a.onnx").read_text() == "precious"


def test_an_interrupted_copy_leaves_no_file_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    root.mkdir()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.new.local_files.copy", interrupted)
    files = held(tmp_path, "a.onnx")
    with pytest.raises(KeyboardInterrupt), imported_files(root, files, "copy", force=False):
        pass
    assert listed(root) == []


def test_what_is_replaced_is_gone_after_success(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "models/net").mkdir(parents=True)
    (root / "models/net/a.onnx").write_text("old")
    with imported_files(root, held(tmp_path, "a.onnx"), "copy", force=True):
        pass
    assert listed(root) == ["models", "models/net", "models/net/a.onnx"]
    assert (root / "models/net/a.onnx").read_text() == "new a.onnx"


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "models/net/a.onnx/mine").mkdir(parents=True)
    files = held(tmp_path, "a.onnx")
    with pytest.raises(PipelineError), imported_files(root, files, "copy", force=True):
        pass
    assert (root / "models/net/a.onnx/mine").is_dir()


def test_of_much_that_lies_elsewhere_the_largest_is_named(tmp_path: Path) -> None:
    small, large = tmp_path / "small.png", tmp_path / "large.onnx"
    small.write_bytes(b"small")
    with large.open("wb") as stream:
        stream.truncate(101 << 20)
    files = {"small": (small, "small.png"), "model": (large, "large.onnx")}
    asked: list[str] = []

    def answer(question: Question) -> Answer:
        asked.append(question.text)
        return Answer("link", known=True)

    to_local_files(tmp_path / "project", "net", files, None, answer)
    assert "large.onnx" in asked[0]
    assert "small.png" not in asked[0]
