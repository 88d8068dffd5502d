"""Two checkouts with nothing in common but a remote cache: the second runs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache.servers import free_port, nginx
from tests.doit_plugin.test_rebuilds import ALL
from tests.tiny import ROOT, Project, make_project, published

TOKEN = "a-token"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("nginx"), TOKEN) as url:
        yield url


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch, cache: str) -> None:
    monkeypatch.setenv("WASI_NN_HOSTS", f"CACHE_TOKEN={cache} CACHE_SECRET={cache}")
    monkeypatch.setenv("CACHE_TOKEN", TOKEN)
    monkeypatch.setenv("CACHE_SECRET", "signs our records")


def checkout(root: Path, toolchains: Path, url: str, *, write: bool) -> Project:
    project = make_project(root, toolchains)
    with (root / "configs/project.toml").open("a") as settings:
        settings.write(
            f'[remote]\nurl = "{url}"\nwrite = {str(write).lower()}\nseconds = 20\n'
            'token_env = "CACHE_TOKEN"\nsecret_env = "CACHE_SECRET"\n'
        )
    return project


def test_an_empty_checkout_restores_every_step_and_runs_none(
    cache: str, tmp_path: Path, toolchains: Path
) -> None:
    one = checkout(tmp_path / "one", toolchains, f"{cache}/a", write=True)
    first = one.doit()
    assert first.steps("built") == set(ALL), first.output
    two = checkout(tmp_path / "zwei mit Leerzeichen", toolchains, f"{cache}/a", write=False)
    second = two.doit()
    assert (second.returncode, second.steps("built")) == (0, set()), second.output
    assert second.steps("restored") == set(ALL)
    assert published(one) == published(two)
    assert two.doit().output.startswith("nothing to do")


def test_without_the_token_there_is_one_clear_error(
    cache: str, tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CACHE_TOKEN")
    run = checkout(tmp_path / "one", toolchains, cache, write=True).doit()
    assert run.returncode == 1
    assert "error[config]: The environment variable CACHE_TOKEN is not set" in (run.output)
    assert "Traceback" not in run.output


def test_another_secret_believes_nothing_and_builds(
    cache: str, tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = checkout(tmp_path / "one", toolchains, f"{cache}/b", write=True)
    assert one.doit("fixture:tiny").returncode == 0
    monkeypatch.setenv("CACHE_SECRET", "another")
    two = checkout(tmp_path / "two", toolchains, f"{cache}/b", write=False)
    run = two.doit("fixture:tiny")
    assert run.returncode == 0
    assert run.steps("restored") == set()
    assert run.output.count("warning: ") == 2


def test_a_dead_server_slows_a_run_and_breaks_nothing(
    tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("WASI_NN_HOSTS", f"CACHE_TOKEN={url} CACHE_SECRET={url}")
    run = checkout(tmp_path / "one", toolchains, url, write=True).doit("fixture:tiny")
    assert run.returncode == 0
    assert "ir:tiny" in run.steps("built")
    assert run.output.count("warning: ") == 2


def test_offline_asks_nobody(tmp_path: Path, toolchains: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    project = checkout(tmp_path / "one", toolchains, url, write=True)
    settings = project.root / "configs/project.toml"
    settings.write_text("offline = true\n" + settings.read_text())
    run = project.doit("fixture:tiny")
    assert run.returncode == 0
    assert "warning" not in run.output


@pytest.mark.network
@pytest.mark.slow
def test_an_empty_checkout_restores_every_default_fixture(
    cache: str, tmp_path: Path, toolchains: Path
) -> None:
    def default(root: Path, *, write: bool) -> Project:
        root.mkdir()
        for name in ("dodo.py", "configs", "guests", "pipeline/builtin/guests"):
            source = ROOT / name
            (shutil.copy if source.is_file() else shutil.copytree)(source, root / name)
        (root / "configs/project.toml").write_text(
            f"toolchains = {str(root / 'toolchains')!r}\n"
            f'[remote]\nurl = "{cache}/default"\nwrite = {str(write).lower()}\n'
            'token_env = "CACHE_TOKEN"\nsecret_env = "CACHE_SECRET"\n'
        )
        return Project(root)

    one = default(tmp_path / "one", write=True)
    first = one.doit(seconds=600)
    assert first.returncode == 0, first.output
    two = default(tmp_path / "two", write=False)
    second = two.doit()
    assert (second.returncode, second.steps("built")) == (0, set()), second.output
    assert second.steps("restored") == first.steps("built")
    assert not (two.root / "toolchains").exists()
    # What a restored stamp stands for is made once a conversion needs it.
    squeezenet = two.root / "configs/fixtures/squeezenet.toml"
    two.edit("mean = [104, 117, 123]", "mean = [104, 117, 124]", squeezenet)
    third = two.doit("ir:squeezenet", seconds=600)
    assert third.steps("built") == {"ir:squeezenet"}, third.output
    assert list((two.root / "toolchains").glob("mo-*/environment.json"))
