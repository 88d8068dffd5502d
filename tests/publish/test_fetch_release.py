"""Fetching: offline from the cache, resumed, from mirrors, and from those who lie."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.cli.main import main
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import no_progress
from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import Release, release_of
from tests.cache.servers import lying
from tests.publish.places import registry, site
from tests.source.site import Answer, Handler, serving
from tests.terminal import Terminal
from tests.tiny import ROOT


@pytest.fixture
def published(tmp_path: Path, fixture_folder: Path) -> Path:
    """A folder with two versions in it."""
    for version in ("1.0", "1.1"):
        release = release_of(fixture_folder, version)
        place = open_destination(str(tmp_path / "published"))
        publish_all(place, [(release, fixture_folder)], dry_run=False, progress=lambda _: None)
    return tmp_path / "published"


def root(folder: Path) -> str:
    return release_of(folder, "1.0").digest


def test_a_version_that_was_fetched_needs_no_network(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with site(tmp_path / "site") as place:
        shutil.copytree(published, place.to, dirs_exist_ok=True)
        first = fetch("tiny", version="1.0", sources=[place.sources])
    # The server is gone.
    assert fetch("tiny", version="1.0", sources=[place.sources]) == first
    assert fetch("tiny", version="1.0") == first
    shutil.rmtree(first)
    assert main(["fetch", "tiny", "--offline", "--from", place.sources]) == 0
    assert capsys.readouterr().out == f"{first}\n"
    assert (first / "tiny.bin").is_file()
    with pytest.raises(PipelineError, match="No such version"):
        fetch("tiny", version="1.1", offline=True)
    with pytest.raises(PipelineError, match="could not be fetched"):
        fetch("tiny", version="1.1", sources=[place.sources])


def test_the_library_is_one_import(published: Path) -> None:
    assert pipeline.fetch("tiny", version="1.0", sources=[str(published)]).name == "tiny"


def test_the_root_digest_may_be_named(published: Path, fixture_folder: Path) -> None:
    expect = root(fixture_folder)
    assert fetch("tiny", sources=[str(published)], expect=expect).is_dir()
    with pytest.raises(PipelineError, match="not have the expected root digest") as caught:
        fetch("tiny", version="1.0", sources=[str(published)], expect=f"sha256:{'0' * 64}")
    assert caught.value.found == expect


def test_a_file_in_the_cache_that_was_changed_is_fetched_again(
    published: Path, cache: Path, tmp_path: Path
) -> None:
    fetch("tiny", version="1.0", sources=[str(published)])
    for path in (cache / "downloads").glob("sha256-*"):
        if path.suffix != ".lock":
            path.write_bytes(b"damaged")
    folder = fetch("tiny", version="1.0", sources=[str(published)], out=tmp_path / "out")
    assert (folder / "tiny.bin").read_bytes() == (published / "tiny/1.0/tiny.bin").read_bytes()


def test_a_folder_that_holds_something_else_is_left_alone(published: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "tiny").mkdir(parents=True)
    (tmp_path / "out" / "tiny" / "mine.txt").write_text("mine")
    with pytest.raises(PipelineError, match="The folder exists with different content"):
        fetch("tiny", version="1.0", sources=[str(published)], out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "tiny").iterdir()] == ["mine.txt"]


def test_a_fetched_folder_with_a_file_more_is_refused(published: Path, tmp_path: Path) -> None:
    folder = fetch("tiny", version="1.0", sources=[str(published)], out=tmp_path / "out")
    assert fetch("tiny", version="1.0", sources=[str(published)], out=tmp_path / "out") == folder
    (folder / "more").mkdir()
    (folder / "more/mine.txt").symlink_to("nowhere")
    with pytest.raises(PipelineError, match="The folder exists with different content") as caught:
        fetch("tiny", version="1.0", sources=[str(published)], out=tmp_path / "out")
    assert "more/mine.txt" in caught.value.found


def test_two_sources_may_use_one_name(
    published: Path, tmp_path: Path, fixture_folder: Path
) -> None:
    (fixture_folder / "tiny.xml").write_text("another's")
    other = tmp_path / "another"
    release = release_of(fixture_folder, "1.0")
    publish_all(
        open_destination(str(other)),
        [(release, fixture_folder)],
        dry_run=False,
        progress=lambda _: None,
    )
    first = fetch("tiny", version="1.0", sources=[str(published)])
    second = fetch("tiny", version="1.0", sources=[str(other)], allow_changed=True)
    assert (first / "tiny.xml").read_text() != (second / "tiny.xml").read_text()
    with pytest.raises(PipelineError, match="Two sources have different releases"):
        fetch("tiny", version="1.0")


def replaced(published: Path, folder: Path) -> None:
    """Give the version 1.0 of a place other content, as only who writes to it can."""
    shutil.rmtree(published)
    (folder / "tiny.xml").write_text("<other/>")
    release = release_of(folder, "1.0")
    place = open_destination(str(published))
    publish_all(place, [(release, folder)], dry_run=False, progress=lambda _: None)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_version_that_was_seen_has_no_other_content_later(
    published: Path, fixture_folder: Path, capsys: pytest.CaptureFixture[str], elsewhere: bool
) -> None:
    shutil.rmtree(published / "tiny" / "1.1")
    index = json.loads((published / "index.json").read_bytes())
    del index["fixtures"]["tiny"]["1.1"]
    (published / "index.json").write_text(json.dumps(index))
    first = fetch("tiny", sources=[str(published)])
    # The same content from another place is the same version.
    moved = published.with_name("moved")
    shutil.copytree(published, moved)
    assert fetch("tiny", sources=[str(moved)]) == first
    changed = moved.with_name("third") if elsewhere else published
    if elsewhere:
        shutil.copytree(moved, changed)
    replaced(changed, fixture_folder)
    command = ["fetch", "tiny@1", "--from", str(changed)]
    assert main(command) == 1
    assert "The version has other content than when it was first fetched" in capsys.readouterr().err
    assert main([*command, "--allow-changed"]) == 0
    # What was accepted once is known.
    assert main(command) == 0
    assert fetch("tiny", sources=[str(moved)]) == first


def with_mirrors(published: Path, *mirrors: str) -> None:
    index = json.loads((published / "index.json").read_bytes())
    (published / "index.json").write_text(json.dumps(index | {"mirrors": mirrors}))


def test_a_mirror_gives_what_the_first_does_not(published: Path, tmp_path: Path) -> None:
    with site(tmp_path / "site") as place:
        first = shutil.copytree(published, Path(place.to) / "first")
        shutil.copytree(published, first / "mirror")
        (first / "tiny/1.0/tiny.bin").write_bytes(b"damaged")
        (first / "tiny/1.0/classify.wasm").unlink()
        source = f"{place.sources}/first"
        with pytest.raises(PipelineError) as caught:
            fetch("tiny", version="1.0", sources=[source])
        assert caught.value.code in (Code.SOURCE_MISMATCH, Code.SOURCE_UNREACHABLE)
        with_mirrors(first, "file:///etc", f"{source}/mirror")
        assert fetch("tiny", version="1.0", sources=[source]).is_dir()


def test_dead_and_malformed_mirrors_are_asked_once_and_left_alone(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        for path in published.rglob("*"):
            if path.is_file():
                name = path.relative_to(published).as_posix()
                server.put(f"/mirror/{name}", path.read_bytes())
                if name.endswith((".json", "SHA256SUMS")):
                    server.put(f"/{name}", path.read_bytes())
        url = server.address
        with_mirrors(published, "http://127.0.0.1:notaport/", f"{url}/dead", f"{url}/mirror")
        index = json.loads((published / "index.json").read_bytes())
        index["mirrors"] += [f"{url}/{number}" for number in range(5000)]
        server.put("/index.json", json.dumps(index).encode())
        monkeypatch.setattr("pipeline.publish.fetch_release._AT_A_TIME", 1)
        assert fetch("tiny", version="1.0", sources=[url]).is_dir()
        assert sum(path.startswith("/dead/") for path, _ in server.asked) == 1
        for address in list(server.answers):
            if address.startswith("/mirror/"):
                del server.answers[address]
        server.asked.clear()
        with pytest.raises(PipelineError):
            fetch("tiny", version="1.0", sources=[url], cache=tmp_path / "other")
        mirrors = {path.split("/")[1] for path, _ in server.asked}
        assert 1 < len(mirrors) <= 18


def test_a_mirror_that_drips_is_given_up(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not handler.server.site.closing.wait(0.05):
            handler.wfile.write(b"x")

    monkeypatch.setattr("pipeline.publish.fetch_release._MIRROR_SECONDS", 0.5)
    with serving() as server:
        with_mirrors(published, f"{server.address}/slow")
        for path in published.rglob("*"):
            if path.is_file() and path.name != "tiny.xml":
                server.put(f"/{path.relative_to(published).as_posix()}", path.read_bytes())
        server.put("/slow/tiny/1.0/tiny.xml", drip)
        with pytest.raises(PipelineError):
            fetch("tiny", version="1.0", sources=[server.address])
        assert server.times("/slow/tiny/1.0/tiny.xml") == 1


@pytest.mark.parametrize("where", ["folder", "site"])
@pytest.mark.parametrize(
    "suffix",
    ["", "/", "/admin?delete=all", "/a/../../x", "/first/%2e%2e/x", "/firstly", "/first?a"],
)
def test_an_index_sends_no_requests_to_services_of_this_machine(
    published: Path, tmp_path: Path, suffix: str, where: str
) -> None:
    with serving() as victim, serving() as server:
        (published / "tiny/1.0/tiny.xml").unlink()
        mirrors = [f"{each.address}{suffix}" for each in (victim, server)]
        with_mirrors(published, *mirrors, *(each.replace("http:", "https:") for each in mirrors))
        for path in published.rglob("*"):
            if path.is_file():
                server.put(f"/first/{path.relative_to(published).as_posix()}", path.read_bytes())
        source = str(published) if where == "folder" else f"{server.address}/first"
        with pytest.raises(PipelineError):
            fetch("tiny", version="1.0", sources=[source])
        assert victim.asked == []
        assert {path.split("/")[1] for path, _ in server.asked} <= {"first"}
        assert not [path for path, _ in server.asked if ".." in path or "%" in path]


@pytest.mark.parametrize("path", ["index.json", "tiny/1.0/release.json", "tiny/1.0/tiny.xml"])
def test_a_pipe_in_place_of_a_file_is_refused(
    published: Path, fixture_folder: Path, path: str
) -> None:
    (published / path).unlink()
    os.mkfifo(published / path)
    with pytest.raises(PipelineError) as caught:
        fetch("tiny", version="1.0", sources=[str(published)])
    assert caught.value.code in (Code.SOURCE_MISMATCH, Code.SOURCE_UNREACHABLE)
    if path != "tiny/1.0/tiny.xml":
        release = release_of(fixture_folder, "1.0")
        with pytest.raises(PipelineError, match="Not a regular file"):
            open_destination(str(published)).publish(release, fixture_folder, lambda _: None)


def test_a_pipe_in_place_of_a_layouts_index_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.json")
    with pytest.raises(PipelineError, match="not an OCI image layout"):
        open_destination(f"oci-layout:{tmp_path}").digest_of("tiny", "1.0")


def test_an_index_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):
            for _ in range(300):
                request.wfile.write(b" ")
                time.sleep(0.1)

    monkeypatch.setattr("pipeline.publish.places.site._SHORT_SECONDS", 1.0)
    with lying(drip) as url, pytest.raises(PipelineError) as caught:
        fetch("tiny", sources=[url])
    assert "timed out after 1 s" in caught.value.found


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM to hear")
def test_a_fetch_that_is_terminated_leaves_nothing_half_there(
    published: Path, tmp_path: Path
) -> None:
    program = (
        "import shutil, sys, time; shutil.copyfile = lambda *_: time.sleep(60);"
        "from pipeline.cli.main import main; sys.exit(main())"
    )
    out = tmp_path / "out"
    arguments = ["fetch", "tiny", "--from", str(published), "-o", str(out)]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments])
    for _ in range(300):
        if list(out.glob(".tiny-*")):
            break
        time.sleep(0.1)
    assert list(out.iterdir())
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    assert list(out.iterdir()) == []


def test_publishing_keeps_the_mirrors(published: Path, fixture_folder: Path) -> None:
    index = json.loads((published / "index.json").read_bytes())
    (published / "index.json").write_text(json.dumps(index | {"mirrors": ["https://b.example"]}))
    release = release_of(fixture_folder, "2.0")
    publish_all(
        open_destination(str(published)),
        [(release, fixture_folder)],
        dry_run=False,
        progress=lambda _: None,
    )
    index = json.loads((published / "index.json").read_bytes())
    assert index["mirrors"] == ["https://b.example"]
    assert set(index["fixtures"]["tiny"]) == {"1.0", "1.1", "2.0"}


def test_the_index_tells_those_who_have_only_curl(published: Path) -> None:
    entry = json.loads((published / "index.json").read_bytes())["fixtures"]["tiny"]["1.0"]
    assert "tiny/1.0/tiny.bin" in entry["files"]
    assert all((published / path).is_file() for path in entry["files"])


@pytest.mark.needs("curl")
def test_the_commands_for_those_who_have_only_curl_work_as_they_are_written(
    published: Path, tmp_path: Path
) -> None:
    lines = (ROOT / "docs/publishing.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("$ curl"))
    commands = [line.removeprefix("$ ") for line in lines[start : lines.index("```", start)]]
    assert "sha256sum -c SHA256SUMS" in commands
    here = tmp_path / "here"
    here.mkdir()
    with site(tmp_path / "site") as place:
        shutil.copytree(published, place.to, dirs_exist_ok=True)
        address = "https://fixtures.example/squeezenet"
        script = "\n".join(("set -e", *commands)).replace(address, f"{place.sources}/tiny")
        ran = subprocess.run(
            ["sh", "-c", script], cwd=here, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert "tiny.bin: OK" in ran.stdout
        assert "test_data_set_0/input_0.pb: OK" in ran.stdout
        (Path(place.to) / "tiny/1.0/tiny.xml").write_text("damaged")
        assert subprocess.run(["sh", "-c", script], cwd=here, check=False).returncode != 0


Change = Callable[[dict[str, Any]], None]


def paths(*names: str) -> Change:
    def change(release: dict[str, Any]) -> None:
        for file, name in zip(release["files"], names, strict=False):
            file["path"] = name

    return change


@pytest.mark.parametrize(
    "change",
    [
        paths("../../escaped"),
        paths("/etc/passwd"),
        paths("C:\\windows"),
        paths("a\\b"),
        paths("a/./b"),
        paths("a//b"),
        paths(""),
        paths("con.txt"),
        paths("trailing."),
        paths("new\nline"),
        paths("same", "SAME"),
        paths("folder", "folder/file"),
        lambda release: release["files"].clear(),
        lambda release: release["files"][0].update(size=-1),
        lambda release: release["files"][0].update(size=1 << 60),
        lambda release: release["files"][0].update(sha256="x" * 64),
        lambda release: release["files"][0].update(link="/etc"),
        lambda release: release.update(name="../other"),
        lambda release: release.update(version="../1.0"),
        lambda release: release.update(release_version=99),
    ],
)
def test_a_release_that_lies_is_refused_whole(
    published: Path, tmp_path: Path, cache: Path, change: Change
) -> None:
    from pipeline.cache.digest import Digest

    path = published / "tiny/1.0/release.json"
    release = json.loads(path.read_bytes())
    change(release)
    path.write_text(json.dumps(release))
    index = json.loads((published / "index.json").read_bytes())
    digest = Digest.of_file(path).sha256
    index["fixtures"]["tiny"]["1.0"]["release"] = f"sha256:{digest}"
    (published / "index.json").write_text(json.dumps(index))
    with pytest.raises(PipelineError) as caught:
        fetch("tiny", version="1.0", sources=[str(published)], out=tmp_path / "out")
    assert caught.value.code is Code.SOURCE_MISMATCH
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "escaped").exists()


def test_an_index_and_its_release_must_agree(published: Path) -> None:
    path = published / "tiny/1.0/release.json"
    path.write_bytes(path.read_bytes().replace(b'"version": "1.0"', b'"version": "1.1"'))
    with pytest.raises(PipelineError, match="does not match"):
        fetch("tiny", version="1.0", sources=[str(published)])


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(b"{" * 65536)
    except OSError:
        pass


def to_a_file(request: BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", "file:///etc/passwd")
    request.end_headers()


def a_page(request: BaseHTTPRequestHandler) -> None:
    body = b"<!doctype html><h1>Moved</h1>"
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def deep(request: BaseHTTPRequestHandler) -> None:
    body = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.mark.parametrize("answer", [endless, to_a_file, a_page, deep])
def test_a_server_that_lies_is_one_clear_error(
    answer: Callable[[BaseHTTPRequestHandler], None], tmp_path: Path
) -> None:
    with lying(answer) as url, pytest.raises(PipelineError) as caught:
        fetch("tiny", version="1.0", sources=[url], out=tmp_path / "out")
    assert caught.value.code in (Code.SOURCE_MISMATCH, Code.SOURCE_UNREACHABLE)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("answer", [endless, to_a_file, a_page, deep])
def test_a_registry_that_lies_is_one_clear_error(
    answer: Callable[[BaseHTTPRequestHandler], None], tmp_path: Path
) -> None:
    with lying(answer) as url:
        source = url.replace("http://", "oci://") + "/nn"
        with pytest.raises(PipelineError):
            fetch("tiny", version="1.0", sources=[source], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_registry_whose_blob_is_another_is_refused(fixture_folder: Path, tmp_path: Path) -> None:
    release: Release = release_of(fixture_folder, "1.0")
    with registry(tmp_path / "registry") as place:
        publish_all(
            open_destination(place.to),
            [(release, fixture_folder)],
            dry_run=False,
            progress=lambda _: None,
        )
        large = next(file for file in release.files if file.path == "tiny.bin")
        blob = next((tmp_path / "registry").rglob(f"*/{large.sha256}/data"))
        blob.write_bytes(bytes(large.size))
        with pytest.raises(PipelineError) as caught:
            fetch("tiny", version="1.0", sources=[place.sources], out=tmp_path / "out")
        assert caught.value.code in (Code.SOURCE_MISMATCH, Code.PUBLISH)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tiny@1.0"], "--from with a URL"),
        (["../tiny", "--from", "x"], "Invalid fixture name"),
        (["tiny@../1", "--from", "x"], "Invalid version"),
        (["tiny", "--from", "ftp://x/y"], "Unsupported source"),
        (["tiny", "--from", "http://mirror.example/x"], "on loopback only"),
        (["tiny", "--from", "nowhere"], "No index of releases"),
    ],
)
def test_what_a_user_may_mistype_is_one_clear_error(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", *arguments]) == 1
    assert told in capsys.readouterr().err


def test_a_runtime_s_own_tests_fetch_by_the_plug_in(
    pytester: pytest.Pytester, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Installed, it is found by its entry point; here it may not be.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeini(f"[pytest]\nwasi_nn_sources = {published}\n")
    pytester.makepyfile(
        """
        def test_there(wasi_nn_fixture):
            assert (wasi_nn_fixture("tiny", version="1.0") / "tiny.bin").is_file()

        def test_missing(wasi_nn_fixture):
            wasi_nn_fixture("other")
        """
    )
    result = pytester.runpytest_subprocess("-p", "pipeline.publish.pytest_plugin")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*No such fixture.*"])
    pytester.makeini("[pytest]\n")
    result = pytester.runpytest_subprocess("-p", "pipeline.publish.pytest_plugin")
    result.stdout.fnmatch_lines(["*expected: wasi_nn_sources in pytest's configuration*"])


@pytest.mark.parametrize("columns", [40, 90])
def test_a_terminal_sees_how_far_a_fetch_is(published: Path, tmp_path: Path, columns: int) -> None:
    weights = bytes(4_000_000)
    folder = tmp_path / "work" / "tiny"
    (folder / "tiny.bin").write_bytes(weights)
    release = release_of(folder, "2.0")
    publish_all(
        open_destination(str(published)), [(release, folder)], dry_run=False, progress=no_progress
    )

    def slowly(path: Path) -> Answer:
        def answer(handler: Handler) -> None:
            data = path.read_bytes()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            for start in range(0, len(data), 400_000):
                handler.wfile.write(data[start : start + 400_000])
                if start:
                    handler.server.site.closing.wait(0.2)

        return answer

    with serving() as server:
        for path in published.rglob("*"):
            if path.is_file():
                server.put(f"/{path.relative_to(published).as_posix()}", slowly(path))
        command = [sys.executable, "-m", "pipeline.cli.main", "fetch", "tiny@2.0"]
        command += ["--from", server.address]
        terminal = Terminal(command, columns=columns, cwd=ROOT)
        moving = r"tiny\.bin .* [12]\.\d/4\.0 MB \d\.\d MB/s \d\d:\d\d"
        if columns == 40:
            moving = r"tiny\.bin .*[3-7]\d% \d\d:\d\d"
        screen = terminal.until(lambda shown: any(re.search(moving, line) for line in shown))
        assert any(re.search("tiny@2.0 ", line) for line in screen)
        assert terminal.end() == 0
        # What remains is the path alone, folded by the terminal.
        assert "".join(terminal.screen).endswith("/tiny")
        quiet = Terminal([*command, "-q", "-o", str(tmp_path)], columns=200, cwd=ROOT)
        assert quiet.end() == 0
        assert quiet.screen == [str(tmp_path / "tiny")]


def test_verbose_tells_each_file_also_into_a_log(published: Path, tmp_path: Path) -> None:
    with site(tmp_path / "site") as place:
        shutil.copytree(published, place.to, dirs_exist_ok=True)
        command = [sys.executable, "-m", "pipeline.cli.main", "fetch", "tiny@1.0", "-v"]
        command += ["--from", place.sources]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    # Two files have the same bytes, which are fetched once.
    assert re.search(r"/tiny/1\.0/(tiny|model)\.bin: 0\.3 of 0\.3 MB\n", done.stderr)
    assert len(done.stdout.splitlines()) == 1
