"""`wasi-nn run` names the classes that a guest's outputs rank first."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.guest_assembly import assemble
from tests import fork_server
from tests.fork_server import Finished
from tests.host.script import write_guest

RANKED = [
    "wasi-nn: y: 3 espresso 44",
    "wasi-nn: y: 2 sock 33",
    "wasi-nn: y: 1 Egyptian cat 22",
    "wasi-nn: y: 0 tabby\\x1b[31m 11",
]


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """A guest whose only output is 11, 22, 33, 44."""
    (case,) = (each for each in CASES if each.title == "load-infer")
    return write_guest(tmp_path, assemble(case))


def labels(path: Path, *more: str) -> Path:
    lines = ["tabby\x1b[31m", "n02124075 Egyptian cat", "sock", "espresso", *more]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def run(*words: str | Path, folder: Path) -> Finished:
    done = fork_server.wasi_nn("run", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok\n"
    return done


def test_the_classes_of_an_output_are_named(guest: Path, tmp_path: Path) -> None:
    named = labels(tmp_path / "classes.txt")
    assert run(guest, folder=tmp_path).stderr == ""
    assert run("--labels", named, guest, folder=tmp_path).stderr.splitlines() == RANKED
    # The guest's own options are its own.
    assert run(guest, "--labels", named, folder=tmp_path).stderr == ""


def test_labels_in_the_guest_s_folder_are_used(guest: Path, tmp_path: Path) -> None:
    labels(tmp_path / "labels.txt")
    assert run(guest, folder=tmp_path).stderr.splitlines() == RANKED


def test_labels_of_another_model_are_told(guest: Path, tmp_path: Path) -> None:
    named = labels(tmp_path / "classes.txt", "more")
    (line,) = run("--labels", named, guest, folder=tmp_path).stderr.splitlines()
    assert line == "wasi-nn: no output has as many elements as there are labels, 5: 4"


def test_labels_that_cannot_be_read_are_an_error(guest: Path, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("binary", "missing"):
        done = fork_server.wasi_nn("run", "--labels", name, guest, cwd=tmp_path)
        assert done.returncode == 1
        assert "The text cannot be read." in done.stderr
        assert "Traceback" not in done.stderr
