"""Configs, folders, toolchains, sources and the remote cache of a project, each broken for real."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import pytest
from msgspec.structs import replace

from pipeline.cli.doctor.check import CheckResult, CheckStatus
from pipeline.cli.doctor.examine import examine
from pipeline.cli.doctor.folders import folders
from pipeline.cli.doctor.remote_cache_check import remote_cache
from pipeline.cli.doctor.sources import answers, sources
from pipeline.cli.doctor.toolchains import compilers, toolchains
from pipeline.config.load_project import load_project
from tests.cache.servers import free_port
from tests.cli.doctor.broken import DOIT, WASI_NN, run
from tests.source.packages import Listed, publish, wheel
from tests.source.site import Handler, Site, plainly, serving
from tests.terminal import Terminal
from tests.tiny import ROOT, Project

MODEL = 'urls = ["file:tiny.onnx"]'


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterable[Site]:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    with serving() as site:
        yield site


def by_subject(lines: Iterable[CheckResult]) -> dict[str, CheckResult]:
    return {line.subject: line for line in lines}


def model(project: Project) -> CheckResult:
    """Return what is said of the source of the model."""
    return by_subject(sources(load_project(project.root)))["tiny.model"]


def give(project: Project, *urls: str, digest: str = "0" * 64) -> None:
    named = ", ".join(f'"{url}"' for url in urls)
    project.edit(MODEL, f'urls = [{named}]\nsha256 = "{digest}"')


def settle(project: Project, *lines: str) -> None:
    path = project.root / "configs/project.toml"
    path.write_text("\n".join([*lines, path.read_text()]))


def test_a_sound_project_has_nothing_wrong(project: Project) -> None:
    done = run(DOIT, "doctor", "--json", cwd=project.root)
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert (found["version"], found["fine"]) == (1, True)
    assert {line["verdict"] for line in found["lines"]} <= {"fine", "note"}
    assert set(found["lines"][0]) == {"check", "subject", "verdict", "found", "fix"}
    said = {(line["check"], line["subject"]) for line in found["lines"]}
    for each in [("config", "configs"), ("folder", "cache"), ("device", "CPU")]:
        assert each in said
    assert {("source", "tiny.model"), ("compiler", "c"), ("toolchain", "mo")} <= said


def test_a_broken_config_is_a_line_with_its_place(project: Project) -> None:
    project.edit('precision = "f32"', 'precision = "f33"')
    project.edit("top1 = 0", "top1 = -4")
    for command in (DOIT, WASI_NN):
        done = run(command, "doctor", cwd=project.root)
        assert done.returncode == 1
        told = [line for line in done.stdout.splitlines() if line.startswith("wrong config")]
        assert len(told) == 2
        assert told[0].startswith("wrong config configs/fixtures/tiny.toml:")
        # What does not need the configs is looked at all the same.
        assert "fine device CPU" in done.stdout
        assert done.stdout.splitlines()[-1].startswith("2 wrong (config configs/fixtures/tiny.toml")


def test_a_folder_without_a_project_is_a_note(tmp_path: Path) -> None:
    line = by_subject(examine(tmp_path))[str(tmp_path)]
    assert (line.status, line.found) == (CheckStatus.WARN, "no project found")


def test_a_cache_that_cannot_be_written_is_wrong(project: Project) -> None:
    (project.root / "blocked").write_text("a file, where a folder should be")
    settle(project, 'cache = "blocked/cache"')
    line = by_subject(examine(project.root))["cache"]
    assert line.status is CheckStatus.FAIL
    assert "is not writable: not a directory" in line.found
    assert "cache in configs/project.toml" in line.fix


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write to")
def test_a_folder_that_nobody_can_write_to_is_wrong() -> None:
    [line] = folders({"temporary": Path("/proc/self")})
    assert line.status is CheckStatus.FAIL
    assert "TMPDIR" in line.fix


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(1 << 29, CheckStatus.FAIL), (2 << 30, CheckStatus.WARN), (9 << 30, CheckStatus.OK)],
)
def test_a_full_disk_is_told_before_it_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: CheckStatus
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr("pipeline.cli.doctor.folders.shutil.disk_usage", lambda _: usage)
    [line] = folders({"cache": tmp_path / "to" / "come"})
    assert line.status is verdict
    assert f"{free / 2**30:.1f} GiB free" in line.found


@pytest.mark.parametrize("offline", [True, False])
def test_a_toolchain_without_its_python_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    configs = load_project(ROOT)
    settings = replace(configs.project, toolchains=str(tmp_path), offline=offline)
    monkeypatch.setattr("pipeline.toolchain.interpreters._further_folders", lambda _: iter(()))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    found = by_subject(toolchains(replace(configs, project=settings)))
    assert found["mo"].found == "cannot be created: Python 3.10 or 3.11 or 3.12 not found"
    assert found["mo"].fix == "uv python install 3.10"
    # With a network, uv would install it; and of the other, no fixture of a plain run has need.
    assert found["mo"].status is (CheckStatus.FAIL if offline else CheckStatus.WARN)
    assert found["tensorflow"].status is CheckStatus.WARN


def test_a_toolchain_that_can_be_made_is_a_note(project: Project) -> None:
    (project.root / "configs/project.toml").write_text('toolchains = "nowhere"')
    found = by_subject(toolchains(load_project(project.root)))
    assert found["mo"].status is CheckStatus.WARN
    assert found["mo"].found.startswith("will be created on demand, with Python 3.")
    assert found["mo"].fix == "doit toolchain:mo"


def test_a_compiler_that_is_missing_is_wrong_where_a_plain_run_needs_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project.root))
    monkeypatch.setenv("HOME", str(project.root))
    monkeypatch.delenv("RUSTUP_HOME", raising=False)
    found = by_subject(compilers(load_project(project.root)))
    assert found["rust"].status is found["assemblyscript"].status is CheckStatus.WARN
    assert "apt-get install rustc libstd-rust-dev-wasm32" in found["rust"].fix
    assert "apt-get install nodejs npm" in found["assemblyscript"].fix
    assert found["c"].status is CheckStatus.OK
    guest = project.root / "configs/guests/classify.toml"
    guest.write_text(
        'description = "x"\nlanguage = "rust"\nsources = ["guests/classify/main.rs"]\n'
    )
    (project.root / "guests/classify").mkdir(exist_ok=True)
    (project.root / "guests/classify/main.rs").write_text("fn main() {}")
    assert by_subject(compilers(load_project(project.root)))["rust"].status is CheckStatus.FAIL


def test_a_local_file_that_is_missing_is_wrong(project: Project) -> None:
    assert model(project).found == "found: file:tiny.onnx"
    (project.root / "tiny.onnx").unlink()
    assert model(project).status is CheckStatus.FAIL
    assert "no such file" in model(project).found
    assert model(project).fix.startswith("Put the file there")


def test_a_server_is_asked_for_one_byte(project: Project, site: Site) -> None:
    give(project, site.put("/model.onnx", b"x" * 100))
    assert model(project).found == f"reachable: {site.address}/model.onnx"
    assert site.ranges("/model.onnx") == ["bytes=0-0"]


def test_an_address_that_is_gone_is_wrong_unless_a_mirror_answers(
    project: Project, site: Site
) -> None:
    gone = f"{site.address}/gone.onnx?token=secret"
    give(project, gone)
    line = model(project)
    assert line.status is CheckStatus.FAIL
    assert "gone.onnx?…: status 404" in line.found
    assert "secret" not in line.found
    assert "add a mirror" in line.fix
    mirror = site.put("/mirror.onnx", b"x")
    project.edit(f'"{gone}"', f'"{gone}", "{mirror}"')
    line = model(project)
    assert line.status is CheckStatus.OK
    assert line.found.startswith(f"reachable: {mirror}; URL 2 of 2; not ")


def test_no_network_at_all_is_told_in_time(project: Project) -> None:
    give(project, f"http://127.0.0.1:{free_port()}/model.onnx")
    assert "the connection was refused" in model(project).found


def test_a_question_that_hangs_is_left_behind() -> None:
    began = time.monotonic()
    found = answers({"slow": lambda: str(Event().wait(30)), "quick": lambda: ""}, seconds=0.5)
    assert found == {"quick": "", "slow": "no answer in 0.5 s"}
    assert time.monotonic() - began < 20


def test_what_was_downloaded_before_needs_no_answer(project: Project) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    give(project, f"http://127.0.0.1:{free_port()}/model.onnx", digest=digest)
    kept = project.root / "artifacts/.cache/downloads"
    kept.mkdir(parents=True, exist_ok=True)
    (kept / f"sha256-{digest}").write_bytes(b"x")
    line = model(project)
    assert line.status is CheckStatus.OK
    assert line.found.startswith("downloaded before; ")


def test_an_offline_project_asks_nobody(project: Project, site: Site) -> None:
    settle(project, "offline = true")
    give(project, site.put("/model.onnx", b"x"))
    line = model(project)
    assert line.status is CheckStatus.FAIL
    assert line.found.endswith("/model.onnx: offline")
    assert "offline = false" in line.fix
    assert site.asked == []


def test_an_index_is_asked_as_fetching_does(
    project: Project, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [Listed("things-1.0-py3-none-any.whl", wheel({"a.onnx": b"x"}))]
    monkeypatch.setenv("PIP_INDEX_URL", publish(site, "things", files))
    give(project, "pypi:things==1.0#a.onnx")
    assert model(project).found == "reachable: pypi:things==1.0#a.onnx"
    assert site.ranges("/files/things-1.0-py3-none-any.whl") == ["bytes=0-0"]
    project.edit("things==1.0", "things==2.0")
    assert model(project).status is CheckStatus.FAIL
    assert "0 files of the version" in model(project).found


def test_what_a_plain_run_does_not_need_is_a_note(project: Project) -> None:
    (project.root / "tiny.onnx").unlink()
    project.config.write_text(f"default = false\n{project.config.read_text()}")
    line = model(project)
    assert line.status is CheckStatus.WARN
    assert "only needed by fixtures that are built on request" in line.found


def remote(project: Project, url: str, *more: str) -> dict[str, CheckResult]:
    path = project.root / "configs/project.toml"
    path.write_text("\n".join(["[remote]", f'url = "{url}"', *more]))
    return by_subject(remote_cache(load_project(project.root)))


def test_a_remote_cache_that_answers_is_fine(project: Project, site: Site) -> None:
    assert remote_cache(load_project(project.root)) == []
    assert remote(project, site.address)["reach"].status is CheckStatus.OK


def test_a_remote_cache_that_refuses_us_is_wrong(
    project: Project, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handler: Handler) -> None:
        handler.say(401, b"")

    site.put(f"/ac/{'0' * 64}", refuse)
    monkeypatch.delenv("CACHE_TOKEN", raising=False)
    found = remote(project, site.address, 'token_env = "CACHE_TOKEN"')
    assert found["CACHE_TOKEN"].status is CheckStatus.FAIL
    assert found["CACHE_TOKEN"].fix == "export CACHE_TOKEN=…"
    assert found["reach"].status is CheckStatus.FAIL
    assert "access denied (HTTP 401)" in found["reach"].found


def test_a_secret_is_not_sent_to_a_server_that_the_user_has_not_paired_it_with(
    project: Project, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[str] = []

    def ask(handler: Handler) -> None:
        sent.append(handler.headers.get("Authorization", ""))
        handler.say(404, b"")

    site.put(f"/ac/{'0' * 64}", ask)
    monkeypatch.setenv("GITHUB_TOKEN", "a secret")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for paired in ("", "GITHUB_TOKEN=https://other.example", f"OTHER={site.address}"):
        monkeypatch.setenv("WASI_NN_HOSTS", paired)
        found = remote(project, site.address, 'token_env = "GITHUB_TOKEN"')
        assert found["GITHUB_TOKEN"].status is CheckStatus.FAIL
        assert f"GITHUB_TOKEN={site.address}" in found["GITHUB_TOKEN"].fix
    assert set(sent) == {""}
    monkeypatch.setenv("WASI_NN_HOSTS", f"GITHUB_TOKEN={site.address}/")
    assert remote(project, site.address, 'token_env = "GITHUB_TOKEN"')["reach"].found
    assert sent[-1] == "Bearer a secret"


def test_a_remote_cache_that_is_down_is_a_note_since_runs_go_on(project: Project) -> None:
    line = remote(project, f"http://127.0.0.1:{free_port()}")["reach"]
    assert line.status is CheckStatus.WARN
    assert "the connection was refused" in line.found


@pytest.mark.parametrize("columns", [40, 100])
def test_on_a_terminal_the_lines_are_folded_and_not_garbled(
    project: Project, site: Site, columns: int
) -> None:
    give(project, f"{site.address}/gone.onnx")
    terminal = Terminal([*WASI_NN, "doctor", str(project.root)], columns=columns, cwd=ROOT)
    assert terminal.end(240) == 1
    text = " ".join(terminal.screen)
    assert "1 wrong (source tiny.model)" in text
    # Checks are printed as they end, so later ones may have scrolled this one away.
    heading = "✗ source tiny.model" if columns == 40 else "✗ source       tiny.model"
    assert any(line.startswith(heading) for line in terminal.scroll)
    assert any("→ Check the network" in line for line in terminal.scroll)


def test_the_temporary_folder_is_looked_at(tmp_path: Path) -> None:
    line = by_subject(examine(tmp_path))["temporary"]
    assert line.found.startswith(tempfile.gettempdir())


def test_a_redirect_is_followed_and_an_index_page_that_is_none_is_told(
    project: Project, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("/simple/things/", plainly(b"not an index", {"Content-Type": "image/png"}))
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.address}/simple")
    give(project, "pypi:things==1.0#a.onnx")
    assert model(project).status is CheckStatus.FAIL
