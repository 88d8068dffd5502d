"""Releases on a hub of models: one commit and a tag each, against a stand-in of the calls made."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import huggingface_hub
import pytest

from pipeline.errors import PipelineError
from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from tests.cache.servers import lying
from tests.publish.hub import TOKEN, State, stand_in
from tests.source.site import HASTY, plainly, serving, status


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    with stand_in() as (endpoint, state):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield state


def publish(folder: Path, version: str) -> int | None:
    release = release_of(folder, version)
    to = open_destination("hf://someone")
    return publish_all(to, [(release, folder)], dry_run=False, progress=lambda _: None)[0].moved


def test_a_version_is_a_tag_on_one_commit_with_the_card_on_top(
    hub: State, fixture_folder: Path
) -> None:
    (fixture_folder / "README.md").write_text("---\nlicense: mit\n---\n\n# tiny\n")
    publish(fixture_folder, "1.0")
    (fixture_folder / "README.md").unlink()
    publish(fixture_folder, "1.1")
    repository = hub.repositories["someone/tiny"]
    assert set(repository.tags) == {"1.0", "1.1"}
    # Created, then a commit for each version.
    assert len(repository.commits) == 3
    first, second = (repository.at(version) or {} for version in ("1.0", "1.1"))
    assert first.keys() - second.keys() == {"README.md"}
    assert {"release.json", "SHA256SUMS", "tiny.bin", ".gitattributes"} <= second.keys()


def test_what_was_uploaded_before_an_interruption_is_not_uploaded_again(
    hub: State, fixture_folder: Path
) -> None:
    release = release_of(fixture_folder, "1.0")

    def stop(text: str) -> None:
        if text.endswith("tiny.xml"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_destination("hf://someone").publish(release, fixture_folder, stop)
    assert hub.uploads
    assert not hub.repositories["someone/tiny"].tags
    publish(fixture_folder, "1.0")
    assert len(hub.uploads) == len(set(hub.uploads))


def test_a_second_version_moves_what_changed(hub: State, fixture_folder: Path) -> None:
    publish(fixture_folder, "1.0")
    before = list(hub.uploads)
    (fixture_folder / "manifest.json").write_text('{"new": 1}')
    publish(fixture_folder, "1.1")
    large = {file.sha256 for file in release_of(fixture_folder, "1.1").files if file.size > 1000}
    assert not large & set(hub.uploads[len(before) :])


def test_a_token_that_has_expired_is_told_without_it(
    hub: State, fixture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    with pytest.raises(PipelineError, match="The hub request failed") as caught:
        publish(fixture_folder, "1.0")
    assert caught.value.found == "status 401"
    assert "HF_TOKEN" in caught.value.hint
    assert "hf_expired" not in caught.value.render()
    assert not hub.repositories


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({"release.json": b"{}"}),
        lambda files: files.update({"release.json": b"[" * 100_000}),
        lambda files: files.pop("release.json"),
        lambda files: files.update({"tiny.xml": b"x" * 300}),
        lambda files: files.update({"tiny.xml": b"x" * 301}),
        lambda files: files.pop("tiny.xml"),
    ],
)
def test_a_hub_that_holds_something_else_is_one_clear_error(
    hub: State, fixture_folder: Path, tmp_path: Path, change: object
) -> None:
    publish(fixture_folder, "1.0")
    repository = hub.repositories["someone/tiny"]
    assert callable(change)
    change(repository.commits[repository.tags["1.0"]])
    with pytest.raises(PipelineError):
        fetch("tiny", version="1.0", sources=["hf://someone"], out=tmp_path / "out")
    assert not (tmp_path / "out" / "tiny").exists()


def test_nobody_answers_as_a_hub_does(
    fixture_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with lying(lambda request: request.send_error(500)) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(PipelineError, match="The hub request failed"):
            fetch("tiny", sources=["hf://someone"], out=tmp_path / "out", policy=HASTY)


@pytest.mark.parametrize("text", ["hf://", "hf://a/b", "hf://../x", "hf://me:secret@x"])
def test_what_is_no_owner(text: str) -> None:
    with pytest.raises(PipelineError, match="Invalid hub URL"):
        open_destination(text)


def test_a_hub_that_falls_silent_is_given_up(hub: State, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Event()

    def silent(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b" " * 5000)
        request.wfile.flush()
        done.wait(20)

    policy = replace(HASTY, read=0.3)
    with lying(silent) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(PipelineError, match="The hub request failed") as caught:
            fetch("tiny", version="1.0", sources=["hf://someone"], policy=policy)
        done.set()
    assert "timed out" in caught.value.found


def test_others_in_this_process_use_the_library_without_our_limits(
    hub: State, fixture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(fixture_folder, "1.0")
    monkeypatch.setattr("pipeline.publish.places.hub_transport.shared_client", None)
    with serving() as site:
        site.put("/moved", status(302, {"Location": "/file"}))
        site.put("/file", plainly(gzip.compress(b"text"), {"Content-Encoding": "gzip"}))
        with huggingface_hub.get_session().stream("GET", f"{site.address}/moved") as response:
            assert b"".join(response.iter_bytes()) == b"text"
