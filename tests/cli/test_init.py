"""`wasi-nn init`: a project that is whole, in whatever folder, and never half of one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import get_args

import pytest

from pipeline.cli.init import execute
from pipeline.config.load_project import load_project
from pipeline.config.schema import LanguageName
from tests.fork_server import wasi_nn
from tests.tiny import BUILTIN, ROOT

COMPILED = sorted(set(get_args(LanguageName)) - {"wasm"})


def init(folder: Path, *arguments: str) -> list[str]:
    done = wasi_nn("init", folder, *arguments, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_its_configs_are_valid_and_the_built_in_guests_are_there_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "ein Projekt"
    printed = init(folder)
    assert printed[-3:] == ["next:", f"  cd '{folder}'", "  doit"]
    configs = load_project(folder)
    assert list(configs.fixtures) == ["text-direction"]
    assert {"classify", "classify-rust", "classify-wat"} <= configs.guests.keys()
    assert len((folder / "dodo.py").read_text().splitlines()) == 3
    for name in ("fixture", "guest", "project"):
        schema = f"configs/schema/{name}.schema.json"
        assert (folder / schema).read_bytes() == (ROOT / schema).read_bytes()
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert [each for each in files if str(ROOT) in each.read_text()] == []


@pytest.mark.parametrize("language", COMPILED)
def test_a_guest_of_ones_own_is_a_copy_that_the_fixture_runs(tmp_path: Path, language: str) -> None:
    init(tmp_path / "own", "--guest", language)
    configs = load_project(tmp_path / "own")
    assert configs.fixtures["text-direction"].guest.program == "hello"
    guest = configs.guests["hello"]
    assert guest.language == language
    assert "hello" not in configs.builtin_guests
    for path in guest.sources + guest.headers:
        named = [each.read_bytes() for each in (BUILTIN / "guests").rglob(Path(path).name)]
        assert (tmp_path / "own" / path).read_bytes() in named


def test_a_guest_of_the_project_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    init(tmp_path / "own", "--guest", "c")
    config = tmp_path / "own/configs/guests/hello.toml"
    config.rename(config.with_name("classify.toml"))
    fixture = tmp_path / "own/configs/fixtures/text-direction.toml"
    fixture.write_text(fixture.read_text().replace('"hello"', '"classify"'))
    configs = load_project(tmp_path / "own")
    assert configs.guests["classify"].description == "a guest of our own"
    assert configs.guest_folder("classify") == tmp_path / "own"
    assert configs.guest_folder("classify-rust") == BUILTIN


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    printed = init(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert "  README.md (kept as it is)" in printed


@pytest.mark.parametrize("there", ["dodo.py", "configs"])
def test_a_project_is_not_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).mkdir()
    done = wasi_nn("init", tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error[usage]: There is a project already.")
    assert [path.name for path in tmp_path.iterdir()] == [there]


def test_a_project_gets_further_guests_and_keeps_what_it_has(tmp_path: Path) -> None:
    init(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "  wasi-nn new my-net net.onnx --guest hello" in init(tmp_path, "--guest", "c")
    assert "  wasi-nn new my-net net.onnx --guest hello-cpp" in init(tmp_path, "--guest", "c++")
    configs = load_project(tmp_path)
    found = {name: configs.guests[name].language for name in ("hello", "hello-cpp")}
    assert found == {"hello": "c", "hello-cpp": "c++"}
    assert all((tmp_path / path).is_file() for path in configs.guests["hello-cpp"].sources)
    assert {path: path.read_bytes() for path in before} == before
    done = wasi_nn("init", tmp_path, "--guest", "c++", cwd=tmp_path)
    assert done.returncode == 1
    assert "Other guests are named 'hello' and 'hello-cpp'." in done.stderr


def test_without_doit_the_next_commands_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.cli.init.find_spec", lambda _: None)
    execute(Namespace(folder=tmp_path, guest=None))
    following = capsys.readouterr().out.partition("next:\n")[2].splitlines()
    assert following[0].startswith("  pip install ")
    assert "[build]" in following[0]
    assert following[-1] == "  doit"


def test_of_a_project_that_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / ".github").write_text("a file where a folder is to be")
    done = wasi_nn("init", tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error[storage]: Cannot write the project.")
    assert [path.name for path in tmp_path.iterdir()] == [".github"]
