"""The recipe: mirrors in order, digests that decide, one error, and never half a file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from tests.source.recipe import Fetch
from tests.source.site import Site, in_turn, plainly, resumable, sha256, status

BODY = b"some weights" * 1000
ROOT = Path(__file__).parents[2]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


def test_mirrors_are_tried_in_order(site: Site, fetch: Fetch) -> None:
    urls = [site.put("/gone", status(404)), site.put("/good", BODY), site.put("/spare", BODY)]
    assert fetch(*urls, of=BODY) == BODY
    assert [site.times(path) for path in ("/gone", "/good", "/spare")] == [1, 1, 0]
    assert any("/gone: status 404 Not Found; trying the next URL" in s for s in fetch.said)


def test_a_mirror_with_another_file_is_passed_over(site: Site, fetch: Fetch) -> None:
    assert fetch(site.put("/a", b"other"), site.put("/b", BODY), of=BODY) == BODY


def test_when_all_mirrors_fail_one_error_lists_each(site: Site, fetch: Fetch) -> None:
    urls = [site.put("/a", status(404)), site.put("/b", status(500)), "file:not/there"]
    error = fetch.fails(*urls, of=BODY)
    assert error.code is Code.SOURCE_UNREACHABLE
    assert "tiny.weights" in error.message
    lines = error.detail.splitlines()
    assert lines[0].startswith(urls[0])
    assert "404" in lines[0]
    assert lines[1].startswith(urls[1])
    assert "500" in lines[1]
    assert lines[2].startswith("file:not/there")
    assert "no such file" in lines[2]


def test_a_wrong_file_weighs_more_than_a_missing_one(site: Site, fetch: Fetch) -> None:
    error = fetch.fails(site.put("/a", status(404)), site.put("/b", b"other"), of=BODY)
    assert error.code is Code.SOURCE_MISMATCH
    assert sha256(BODY) in error.expected
    assert sha256(b"other") in error.found
    assert "5 bytes" in error.found


def test_a_wrong_digest_shows_both_sides_and_leaves_nothing(site: Site, fetch: Fetch) -> None:
    other = BODY[:-1] + b"X"
    error = fetch.fails(site.put("/a", resumable(other)), of=BODY)
    assert error.code is Code.SOURCE_MISMATCH
    assert error.expected == f"sha256 {sha256(BODY)}\n{len(BODY)} bytes"
    assert error.found == f"sha256 {sha256(other)}\n{len(BODY)} bytes"
    assert fetch.parts() == []


def test_every_digest_and_the_size_must_hold(site: Site, fetch: Fetch) -> None:
    url = site.put("/a", BODY)
    sha1, sha384 = hashlib.sha1(BODY).hexdigest(), hashlib.sha384(BODY).hexdigest()
    assert fetch(url, of=BODY, sha1=sha1, sha384=sha384) == BODY
    fetch.target.unlink()
    for name, digits in (("sha1", 40), ("sha384", 96), ("sha256", 64)):
        error = fetch.fails(url, of=BODY, **{name: "0" * digits})
        assert error.code is Code.SOURCE_MISMATCH
    for size in (len(BODY) - 1, len(BODY) + 1, 0):
        assert fetch.fails(url, of=BODY, size=size).code is Code.SOURCE_MISMATCH


def test_an_older_digest_does_with_a_size(site: Site, fetch: Fetch) -> None:
    url = site.put("/a", BODY)
    sha1 = hashlib.sha1(BODY).hexdigest()
    assert fetch(url, sha1=sha1, size=len(BODY)) == BODY
    assert fetch(url, sha384=hashlib.sha384(BODY).hexdigest(), size=len(BODY)) == BODY
    fetch.target.unlink()
    assert fetch.fails(url, sha1=sha1).code is Code.CONFIG
    assert fetch.fails(url, size=len(BODY)).code is Code.CONFIG
    assert site.times("/a") == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\n <!DOCTYPE html><title>Sign in</title>", "web page"),
        (b"\xef\xbb\xbf<html>" + b"x" * 50_000, "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
    ],
)
def test_what_came_instead_of_the_file_is_told(
    site: Site, fetch: Fetch, body: bytes, words: str
) -> None:
    error = fetch.fails(site.put("/a", body), of=BODY)
    assert error.code is Code.SOURCE_MISMATCH
    assert words in error.message
    assert error.hint


def test_what_was_fetched_is_used_again_without_a_network(site: Site, fetch: Fetch) -> None:
    url = site.put("/a", BODY)
    fetch(url, of=BODY)
    fetch.target.unlink()
    fetch.offline = True
    assert fetch("https://elsewhere.example/b", url, of=BODY) == BODY
    assert site.times("/a") == 1


def test_what_was_fetched_from_any_mirror_is_asked_for_nowhere(
    site: Site, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.address}/simple")
    url = site.put("/a", BODY)
    fetch(url, of=BODY)
    assert fetch("pypi:tiny-net==1.0#x", site.put("/b", BODY), url, of=BODY) == BODY
    assert [path for path, _ in site.asked] == ["/a"]


def test_offline_a_missing_file_is_a_clear_error(site: Site, fetch: Fetch) -> None:
    fetch.offline = True
    for url in (site.put("/a", BODY), "pypi:a==1.0#x.bin"):
        error = fetch.fails(url, of=BODY)
        assert error.code is Code.SOURCE_UNREACHABLE
        assert "offline" in error.message
        assert "offline = false" in error.hint
    assert site.asked == []


def test_a_kept_file_that_rotted_is_fetched_anew(site: Site, fetch: Fetch) -> None:
    url = site.put("/a", BODY)
    fetch(url, of=BODY)
    kept = fetch.downloads / f"sha256-{sha256(BODY)}"
    kept.write_bytes(b"rotten")
    assert fetch(url, of=BODY) == BODY
    assert kept.read_bytes() == BODY
    assert site.times("/a") == 2


def test_a_part_of_another_version_is_noticed_and_dropped(site: Site, fetch: Fetch) -> None:
    # The server changed the file, and forgot to change its tag.
    url = site.put("/a", resumable(b"old" * len(BODY), drops=9, piece=5000))
    fetch.fails(url, sha256=sha256(BODY))
    assert len(fetch.parts()) == 2
    site.put("/a", resumable(BODY))
    assert fetch(url, sha256=sha256(BODY)) == BODY
    assert site.ranges("/a")[-2:] == ["bytes=15000-", None]
    assert fetch.parts() == []


def test_the_parts_of_other_mirrors_go_with_success(site: Site, fetch: Fetch) -> None:
    broken = site.put("/a", resumable(BODY, drops=9, piece=2000))
    assert fetch(broken, site.put("/b", BODY), of=BODY) == BODY
    assert fetch.parts() == []


def test_a_local_file_is_relative_to_the_project_or_absolute(fetch: Fetch) -> None:
    (fetch.folder / "models").mkdir()
    (fetch.folder / "models" / "a.bin").write_bytes(BODY)
    assert fetch("file:models/a.bin") == BODY
    assert fetch(f"file:{fetch.folder}/models/a.bin", of=BODY) == BODY
    fetch.target.unlink()
    assert fetch.fails("file:models/a.bin", of=b"other").code is Code.SOURCE_MISMATCH
    assert fetch.fails("file:models/a.bin", "https://h.example/a").code is Code.CONFIG


def test_a_link_out_of_the_project_needs_a_digest(fetch: Fetch) -> None:
    secret = fetch.folder.parent / "secret"
    secret.write_bytes(BODY)
    (fetch.folder / "labels.txt").symlink_to(secret)
    (fetch.folder / "up").symlink_to(fetch.folder.parent)
    (fetch.folder / "inner").symlink_to("labels.txt")
    for name in ("labels.txt", "up/secret", "inner", str(secret)):
        error = fetch.fails(f"file:{name}")
        assert error.message == "The local file is outside the project."
    # Who states the digest has had the file.
    assert fetch("file:labels.txt", of=BODY) == BODY


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_what_is_no_local_file_is_one_clear_error(fetch: Fetch) -> None:
    (fetch.folder / "folder").mkdir()
    os.mkfifo(fetch.folder / "pipe")
    for name in ("folder", "pipe", "/dev/zero", "not/there", "x" * 5000):
        assert fetch.fails(f"file:{name}").code is Code.SOURCE_UNREACHABLE


def test_a_failure_keeps_what_the_target_held(site: Site, fetch: Fetch) -> None:
    fetch.target.parent.mkdir()
    fetch.target.write_bytes(b"before")
    with pytest.raises(PipelineError):
        fetch(site.put("/a", in_turn(status(500), plainly(b"other"))), of=BODY)
    assert fetch.target.read_bytes() == b"before"
    assert [path.name for path in fetch.target.parent.iterdir()] == [fetch.target.name]


def test_secrets_in_addresses_are_never_told(site: Site, fetch: Fetch) -> None:
    site.put("/a", status(404))
    site.put("/b", b"other")
    login = site.address.replace("//", "//me:hush@")
    urls = [f"{login}/a?token=hush", f"{login}/b?sig=hush", f"{login}/c?hush#hush"]
    error = fetch.fails(*urls, of=BODY)
    assert "hush" not in error.render() + "".join(fetch.said)
    assert site.asked[0][1]["Authorization"].startswith("Basic ")
    assert "hush" not in "".join(path.name for path in fetch.downloads.iterdir())


FULL_DISK = """
import resource, sys
from pathlib import Path
from pipeline.errors import PipelineError
from pipeline.cache.cache import Cache
from pipeline.source.fetch_source import fetch_source
from pipeline.execution.action import Action
from pipeline.execution.builder import Builder
from pipeline.execution.pool.worker_pool import WorkerPool

folder, url, sha256, most = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
store = Cache(folder / "cache")
action = Action(
    kind="source", label="a", title="", recipe=fetch_source,
    outputs={"file": folder / "out" / "a.bin"},
    parameters={"name": "a", "sha256": sha256, "sha384": None, "sha1": None, "size": None},
    unkeyed={"urls": (url,), "downloads": folder / "downloads", "offline": False, "root": folder},
)
with WorkerPool(1) as workers:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        Builder(store, workers).build(action, lambda text, amount=None: None)
    except PipelineError as error:
        print(error.render())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_full_disk_is_one_clear_error_and_leaves_nothing_half(site: Site, tmp_path: Path) -> None:
    large = os.urandom(3 << 20)
    url = site.put("/a", resumable(large))

    def run(most: int) -> str:
        arguments = [str(tmp_path), url, sha256(large), str(most)]
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout

    told = run(1 << 20)
    assert told.startswith("error[storage]: source:a could not write its files.")
    assert told.count("error[") == 1
    assert not (tmp_path / "out" / "a.bin").exists()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 65536]
    assert left == []
    assert run(16 << 20) == ""
    assert (tmp_path / "out" / "a.bin").read_bytes() == large
