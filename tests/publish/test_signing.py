"""Signed releases, held against model-signing's own command line; and what nobody signed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from msgspec import structs

from pipeline.cli.main import main
from pipeline.errors import Code, PipelineError
from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from pipeline.publish.release.release_index import encode, index_of
from pipeline.publish.release.signing import check_signature
from pipeline.publish.validation.finding import Validation, ValidationVerdict
from pipeline.publish.validation.validate_fixture import validate
from tests.programs import require_program
from tests.publish.places import Place, folder
from tests.tiny import Project

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pairs of keys, as openssl makes them; the second has a password."""
    made = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        pem, pub = made / f"{name}.pem", made / f"{name}.pub"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pem)
        openssl("ec", "-in", pem, "-pubout", "-out", pub)
    closed = made / "closed.pem"
    openssl(
        "pkcs8", "-topk8", "-in", made / "other.pem", "-out", closed, "-passout", f"pass:{PASSWORD}"
    )
    return made


def openssl(*arguments: object) -> None:
    subprocess.run(
        [require_program("openssl"), *map(str, arguments)], check=True, capture_output=True
    )


def model_signing(*arguments: object) -> int:
    """Run its own command line, without the time that its imports take in each process."""
    (command,) = entry_points(group="console_scripts", name="model_signing")
    with pytest.raises(SystemExit) as ended:
        command.load()([str(each) for each in arguments])
    return int(ended.value.code or 0)


def publish(to: str, fixture: Path, key: Path | None, version: str = "1.0") -> None:
    release = release_of(fixture, version)
    publish_all(
        open_destination(to), [(release, fixture)], dry_run=False, progress=lambda _: None, key=key
    )


def test_from_every_place_it_comes_back_signed(
    place: Place, fixture_folder: Path, keys: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in fixture_folder.rglob("*") if path.is_file()}
    publish(place.to, fixture_folder, keys / "key.pem")
    assert before == {p: p.read_bytes() for p in fixture_folder.rglob("*") if p.is_file()}
    out = fetch("tiny", sources=[place.sources], out=tmp_path / "out", key=keys / "key.pub")
    assert release_of(out, "1.0").digest == release_of(fixture_folder, "1.0").digest
    verified = ("verify", "key", out, "--signature", out / "model.sig", "--public_key")
    assert model_signing(*verified, keys / "key.pub") == 0
    assert model_signing(*verified, keys / "other.pub") != 0
    (out / "tiny.xml").write_text("<other/>")
    assert model_signing(*verified, keys / "key.pub") != 0


def passed_off(place: Path, name: str, version: str) -> None:
    """Give a folder's only release another name or version, as who writes to it can."""
    from pipeline.publish.release.release import decode

    (path,) = place.glob("*/*/release.json")
    release = decode(path.read_bytes(), "here")
    target = place / name / version
    target.parent.mkdir(exist_ok=True)
    path.parent.rename(target)
    release = structs.replace(release, name=name, version=version)
    (target / "release.json").write_bytes(release.encode())
    index = index_of([release], ())
    (place / "index.json").write_bytes(encode(index))


@pytest.mark.parametrize(("name", "version"), [("squeezenet", "1.0"), ("tiny", "9.9")])
def test_signed_files_are_no_release_of_another_name_or_version(
    fixture_folder: Path, keys: Path, tmp_path: Path, name: str, version: str
) -> None:
    place = tmp_path / "place"
    publish(str(place), fixture_folder, keys / "key.pem")
    passed_off(place, name, version)
    with pytest.raises(PipelineError, match="not signed with this key") as caught:
        fetch(name, version=version, sources=[str(place)], key=keys / "key.pub")
    assert caught.value.found == "the key signed these files as tiny@1.0"
    assert f"a signature of {name}@{version}" in caught.value.expected


@pytest.mark.parametrize("key", ["dsse_envelope", "DsseEnvelope"])
def test_a_signature_has_one_statement(
    fixture_folder: Path, keys: Path, tmp_path: Path, key: str
) -> None:
    """A second one, in another spelling, might be the one that is not verified."""
    place = tmp_path / "place"
    publish(str(place), fixture_folder, keys / "key.pem")
    out = fetch("tiny", sources=[str(place)], out=tmp_path / "out")
    bundle = json.loads((out / "model.sig").read_bytes())
    assert check_signature(out, keys / "key.pub", name="tiny") == ""
    (out / "model.sig").write_text(json.dumps(bundle | {key: bundle["dsseEnvelope"]}))
    assert check_signature(out, keys / "key.pub", name="tiny") != ""
    twice = json.dumps(bundle).replace("{", '{"mediaType": "x", ', 1)
    (out / "model.sig").write_text(twice)
    assert check_signature(out, keys / "key.pub", name="tiny") != ""


def test_another_key_and_no_signature_are_refused_before_the_folder_appears(
    place: Place, fixture_folder: Path, keys: Path, tmp_path: Path
) -> None:
    publish(place.to, fixture_folder, keys / "key.pem")
    publish(place.to, fixture_folder, None, "1.1")
    for version, why in (("1.0", "Key mismatch"), ("1.1", "no signature")):
        with pytest.raises(PipelineError, match="not signed with this key") as caught:
            fetch(
                "tiny",
                version=version,
                sources=[place.sources],
                out=tmp_path / "out",
                key=keys / "other.pub",
            )
        assert caught.value.code is Code.SOURCE_MISMATCH
        assert why in caught.value.found
        assert not (tmp_path / "out" / "tiny").exists()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nowhere.pub", "No such file"),
        ("folder", "a folder"),
        ("pipe", "not a regular file"),
        ("picture.jpg", "not a public key"),
        ("key.pem", "a private key"),
    ],
)
def test_a_key_that_is_none_is_told_before_anything_is_asked_for(
    keys: Path, tmp_path: Path, name: str, found: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    shutil.copy(keys / "key.pem", tmp_path)
    with pytest.raises(PipelineError, match="Invalid key") as caught:
        fetch("tiny", sources=["https://nobody.invalid"], key=tmp_path / name)
    assert found in caught.value.found


def test_signing_again_is_no_other_version(place: Place, fixture_folder: Path, keys: Path) -> None:
    publish(place.to, fixture_folder, keys / "key.pem")
    publish(place.to, fixture_folder, keys / "key.pem")
    publish(place.to, fixture_folder, None)
    assert fetch("tiny", sources=[place.sources], key=keys / "key.pub").is_dir()


def test_evidence_may_lie_beside_what_is_signed(
    place: Place, fixture_folder: Path, keys: Path, tmp_path: Path
) -> None:
    publish(place.to, fixture_folder, keys / "key.pem")
    plain = fetch("tiny", sources=[place.sources], key=keys / "key.pub")
    assert not (plain / "evidence").exists()
    for offline in (False, True):
        whole = fetch(
            "tiny", sources=[place.sources], key=keys / "key.pub", evidence=True, offline=offline
        )
        found = whole / "evidence/red/sandbox/probabilities.raw"
        assert found.read_bytes() == bytes(16)
        assert whole != plain
    verified = ("--signature", whole / "model.sig", "--public_key", keys / "key.pub")
    assert model_signing("verify", "key", whole, *verified) == 0


def test_a_release_without_evidence_says_so(
    place: Place, fixture_folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(fixture_folder / "evidence")
    publish(place.to, fixture_folder, None)
    with pytest.raises(PipelineError, match="has no evidence"):
        fetch("tiny", sources=[place.sources], evidence=True)


def test_a_key_with_a_password(
    tmp_path: Path, fixture_folder: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder(tmp_path / "place") as place:
        for password in (None, "wrong", PASSWORD):
            if password is not None:
                monkeypatch.setenv("WASI_NN_SIGN_PASSWORD", password)
            if password != PASSWORD:
                with pytest.raises(PipelineError, match="Invalid key") as caught:
                    publish(place.to, fixture_folder, keys / "closed.pem")
                assert "wrong" not in caught.value.render()
                assert not (tmp_path / "place").exists()
        publish(place.to, fixture_folder, keys / "closed.pem")
        assert fetch("tiny", sources=[place.sources], key=keys / "other.pub").is_dir()


@pytest.fixture
def signed(built: Project, keys: Path, tmp_path: Path) -> Path:
    """A real fixture, signed and fetched."""
    publish(str(tmp_path / "place"), built.folder, keys / "key.pem")
    return fetch("tiny", sources=[str(tmp_path / "place")], out=tmp_path / "out")


def test_it_is_valid_by_the_key(signed: Path, keys: Path) -> None:
    validation = validate(signed, key=keys / "key.pub")
    assert validation.findings == ()
    assert validation.verdict is ValidationVerdict.VALID
    assert validation.trusted_by == "the key key.pub"


def edited(path: Path) -> None:
    """Edit a file, the manifest and the sums together, as one would who means to deceive."""
    import hashlib

    target = path / "fixture.txt"
    target.write_text(target.read_text() + "\n")
    manifest = json.loads((path / "manifest.json").read_bytes())
    entry = next(each for each in manifest["files"] if each["path"] == "fixture.txt")
    data = target.read_bytes()
    entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    (path / "manifest.json").write_text(json.dumps(manifest, indent=2))
    (path / "SHA256SUMS").write_bytes(release_of(path, "0").sums())


@pytest.mark.parametrize(
    "change",
    [
        edited,
        lambda path: (path / "model.sig").unlink(),
        lambda path: (path / "model.sig").write_bytes(b"{}"),
        lambda path: (path / "model.sig").write_bytes(b"[" * 100_000),
        lambda path: (path / "model.sig").write_bytes(b"\0" * 64),
        lambda path: (path / "README.md").write_text("other"),
        lambda path: (path / "README.md").unlink(),
    ],
)
def test_what_was_not_signed_is_invalid(
    signed: Path, keys: Path, change: Callable[[Path], object]
) -> None:
    change(signed)
    validation: Validation = validate(signed, key=keys / "key.pub", run=False)
    assert validation.verdict is ValidationVerdict.INVALID
    assert "signature" in {finding.kind for finding in validation.findings}


def test_a_signed_folder_has_its_name(signed: Path, keys: Path) -> None:
    renamed = signed.rename(signed.with_name("other"))
    validation = validate(renamed, key=keys / "key.pub", run=False)
    assert [finding.kind for finding in validation.findings] == ["name"]


def test_the_command_takes_a_key(
    signed: Path, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validated = ["validate", str(signed), "--no-run", "--key"]
    assert main([*validated, str(keys / "key.pub")]) == 0
    assert "valid by the key key.pub" in capsys.readouterr().out
    assert main([*validated, str(keys / "other.pub")]) == 1
    assert "Signature verification failed" in capsys.readouterr().out
    apart = tmp_path / "apart.sig"
    (signed / "model.sig").rename(apart)
    assert main([*validated, str(keys / "key.pub")]) == 1
    assert "The folder is not signed." in capsys.readouterr().out
    assert main([*validated, str(keys / "key.pub"), "--signature", str(apart)]) == 0
    capsys.readouterr()
    for key in (keys / "none.pub", apart):
        assert main([*validated, str(key)]) == 2
        assert "Invalid key" in capsys.readouterr().err
    assert main(["validate", str(signed), "--signature", str(apart)]) == 2


def test_doit_signs(project: Project, keys: Path, tmp_path: Path) -> None:
    to = ("publish", "--to", str(tmp_path / "place"), "--as", "1.0")
    run = project.doit(*to, "--sign", str(keys / "key.pub"))
    assert run.returncode != 0
    assert "Invalid key" in run.output
    assert not (tmp_path / "place").exists()
    run = project.doit(*to, "--sign", str(keys / "key.pem"), "--dry-run")
    assert run.returncode == 0, run.output
    assert not (tmp_path / "place").exists()
    run = project.doit(*to, "--sign", str(keys / "key.pem"))
    assert run.returncode == 0, run.output
    assert fetch("tiny", sources=[str(tmp_path / "place")], key=keys / "key.pub").is_dir()
    assert not list(project.folder.parent.glob(".signing*"))
    assert not (project.folder / "model.sig").exists()
