"""Every place: a version appears whole, never changes, and comes back to the byte."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import Published, publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from tests.publish.places import Place, registry, registry_with_login


def publish(to: str, folder: Path, version: str, *, dry_run: bool = False) -> Published:
    release = release_of(folder, version)
    told: list[str] = []
    return publish_all(
        open_destination(to), [(release, folder)], dry_run=dry_run, progress=told.append
    )[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS" and "evidence" not in path.parts
    }


def test_what_is_published_comes_back_to_the_byte(
    place: Place, fixture_folder: Path, tmp_path: Path
) -> None:
    published = publish(place.to, fixture_folder, "1.0")
    assert published.moved
    folder = fetch("tiny", version="1.0", sources=[place.sources], out=tmp_path / "out")
    assert folder == tmp_path / "out" / "tiny"
    assert contents(folder) == contents(fixture_folder)
    checked = subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=False
    )
    assert checked.returncode == 0
    assert release_of(folder, "1.0").digest == published.release.digest


def test_publishing_the_same_again_moves_nothing(place: Place, fixture_folder: Path) -> None:
    publish(place.to, fixture_folder, "1.0")
    # Evidence is of a machine: another machine's is no other release.
    (fixture_folder / "evidence" / "red" / "sandbox" / "probabilities.raw").write_bytes(b"\1" * 16)
    assert publish(place.to, fixture_folder, "1.0").moved is None


def test_a_version_never_changes(place: Place, fixture_folder: Path, tmp_path: Path) -> None:
    publish(place.to, fixture_folder, "1.0")
    before = contents(fixture_folder)
    (fixture_folder / "tiny.xml").write_bytes(b"<other/>")
    with pytest.raises(
        PipelineError, match="is already published with different content"
    ) as caught:
        publish(place.to, fixture_folder, "1.0")
    assert caught.value.code is Code.USAGE
    folder = fetch("tiny", version="1.0", sources=[place.sources], out=tmp_path / "out")
    assert contents(folder) == before


def test_the_newest_version_is_fetched_unless_another_is_named(
    place: Place, fixture_folder: Path, tmp_path: Path
) -> None:
    for version in ("1.9", "1.10", "2.0-rc.1"):
        (fixture_folder / "tiny.xml").write_text(version)
        publish(place.to, fixture_folder, version)

    def fetched(version: str) -> str:
        out = tmp_path / f"out{version}"
        folder = fetch("tiny", version=version, sources=[place.sources], out=out)
        return (folder / "tiny.xml").read_text()

    assert [fetched(version) for version in ("", "1", "1.9", "2.0-rc.1")] == [
        "1.10",
        "1.10",
        "1.9",
        "2.0-rc.1",
    ]
    with pytest.raises(PipelineError, match="No such version") as caught:
        fetched("3")
    assert "1.10" in caught.value.found
    with pytest.raises(PipelineError, match="No such fixture"):
        fetch("other", sources=[place.sources])


def test_a_dry_run_changes_nothing(place: Place, fixture_folder: Path) -> None:
    assert publish(place.to, fixture_folder, "1.0", dry_run=True).moved == 0
    assert open_destination(place.to).digest_of("tiny", "1.0") is None


def test_an_interrupted_publication_is_not_seen_and_not_moved_twice(
    place: Place, fixture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = release_of(fixture_folder, "1.0")
    whole = sum({file.sha256: file.size for file in release.files}.values())
    stopped: list[str] = []

    def stop(text: str) -> None:
        stopped.append(text)
        if len(stopped) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_destination(place.to).publish(release, fixture_folder, stop)
    assert open_destination(place.to).digest_of("tiny", "1.0") is None
    moved = publish(place.to, fixture_folder, "1.0").moved
    assert moved is not None
    # A hub tells what a repository lacks, and not which objects it has got already.
    if not place.to.startswith("hf:"):
        assert moved < whole + sum(file.size for file in release.evidence)
    assert open_destination(place.to).digest_of("tiny", "1.0") == release.digest


def test_of_two_publishers_at_once_one_content_wins(
    place: Place, fixture_folder: Path, tmp_path: Path
) -> None:
    import shutil

    other = tmp_path / "other" / "tiny"
    shutil.copytree(fixture_folder, other)
    (other / "tiny.xml").write_bytes(b"<other/>")

    def attempt(folder: Path) -> str:
        try:
            publish(place.to, folder, "1.0")
        except PipelineError as error:
            return error.code.value
        return release_of(folder, "1.0").digest

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(attempt, [fixture_folder, other] * 2))
    root = open_destination(place.to).digest_of("tiny", "1.0")
    folder = fetch("tiny", version="1.0", sources=[place.sources])
    assert release_of(folder, "1.0").digest == root
    assert root in results


def test_many_versions_at_once_are_all_in_the_index(place: Place, fixture_folder: Path) -> None:
    versions = [f"1.{number}" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda version: publish(place.to, fixture_folder, version), versions))
    for version in versions:
        assert fetch("tiny", version=version, sources=[place.sources]).is_dir()


def test_a_file_that_is_there_already_is_not_uploaded_for_another_version(
    tmp_path: Path, fixture_folder: Path
) -> None:
    with registry(tmp_path / "registry") as place:
        publish(place.to, fixture_folder, "1.0")
        (fixture_folder / "tiny.xml").write_bytes(b"<other/>")
        assert publish(place.to, fixture_folder, "1.1").moved == len(b"<other/>")


def test_a_registry_wants_a_login_and_the_password_is_never_told(
    tmp_path: Path, fixture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import base64
    import json

    with registry_with_login(tmp_path / "registry") as place:
        with pytest.raises(PipelineError) as caught:
            publish(place.to, fixture_folder, "1.0")
        assert "docker login" in caught.value.hint
        host = place.to.removeprefix("oci://").partition("/")[0]
        config = tmp_path / "docker" / "config.json"
        config.parent.mkdir()
        for password in ("wrong", "secret"):
            login = base64.b64encode(f"alice:{password}".encode()).decode()
            config.write_text(json.dumps({"auths": {host: {"auth": login}}}))
            if password == "wrong":
                with pytest.raises(PipelineError) as caught:
                    publish(place.to, fixture_folder, "1.0")
                told = caught.value.render()
                assert "wrong" not in told
                assert login not in told
        assert publish(place.to, fixture_folder, "1.0").moved
        assert fetch("tiny", version="1.0", sources=[place.sources]).is_dir()


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("ftp://a/b", "a folder, oci://HOST/NAMESPACE"),
        ("oci://127.0.0.1:5000/UPPER", "in lower case"),
        ("oci://me:secret@127.0.0.1:5000/x", "oci://HOST/NAMESPACE"),
        ("", "a folder"),
    ],
)
def test_what_is_no_place_is_told(to: str, told: str) -> None:
    with pytest.raises(PipelineError) as caught:
        open_destination(to)
    assert told in caught.value.render()


def test_nobody_listens(fixture_folder: Path) -> None:
    with pytest.raises(PipelineError, match="The registry request failed") as caught:
        publish("oci://127.0.0.1:9/x", fixture_folder, "1.0")
    assert "refused" in caught.value.found


def test_a_folder_without_the_right_to_write(tmp_path: Path, fixture_folder: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PipelineError, match="nothing of the release is visible") as caught:
        publish(str(tmp_path / "file" / "place"), fixture_folder, "1.0")
    assert caught.value.code is Code.PUBLISH
