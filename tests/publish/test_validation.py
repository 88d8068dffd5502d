"""Every kind of damage to a folder is found, and nothing of a damaged one is executed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pipeline.cli.main import main
from pipeline.publish.release.derived_files import DERIVED_FILES
from pipeline.publish.release.lock_file import read_lock
from pipeline.publish.validation.finding import Validation, ValidationVerdict
from pipeline.publish.validation.validate_fixture import validate
from tests.publish.restated import edit, restate_evidence
from tests.tiny import Project

REPRODUCIBLE = (
    "tiny.xml",
    "tiny.bin",
    "model.xml",
    "model.bin",
    "red-1x3x8x8-f32.rgb",
    "blue-1x3x8x8-f32.rgb",
    "classify.wasm",
    "fixture.txt",
)


@pytest.fixture(scope="module")
def locked(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    copy = Project(tmp_path_factory.mktemp("locked") / "project")
    shutil.copytree(built.root, copy.root)
    assert copy.doit("lock").returncode == 0
    return copy


@pytest.fixture
def folder(locked: Project, tmp_path: Path) -> Path:
    return Path(shutil.copytree(locked.folder, tmp_path / "tiny"))


@pytest.fixture
def check(locked: Project, folder: Path) -> Callable[..., Validation]:
    lock = read_lock(locked.root / "artifacts" / "lock.json").fixtures

    def checked(*, run: bool = False, trusted: bool = True, expect: str = "") -> Validation:
        return validate(folder, lock=lock if trusted else None, run=run, expect=expect)

    return checked


def kinds(validation: Validation) -> set[str]:
    return {finding.kind for finding in validation.findings}


def test_what_was_built_is_valid_by_the_lock(check: Callable[..., Validation]) -> None:
    validation = check(run=True)
    assert validation.findings == ()
    assert validation.verdict is ValidationVerdict.VALID


def test_without_anything_trusted_the_origin_is_unknown(check: Callable[..., Validation]) -> None:
    validation = check(trusted=False)
    assert validation.verdict is ValidationVerdict.CONSISTENT
    trusted = check(trusted=False, expect=validation.root)
    assert trusted.verdict is ValidationVerdict.VALID
    assert kinds(check(trusted=False, expect=f"sha256:{'0' * 64}")) == {"root"}


def damages() -> Iterator[tuple[str, Callable[[Path], None], str]]:
    def truncate(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1])

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def empty(path: Path) -> None:
        path.write_bytes(b"")

    yield "truncated", truncate, "size"
    yield "one bit flipped", flip, "digest"
    yield "emptied", empty, "size"
    yield "deleted", Path.unlink, "missing"


@pytest.mark.parametrize("file", REPRODUCIBLE)
@pytest.mark.parametrize(
    ("damage", "kind"),
    [(change, kind) for _, change, kind in damages()],
    ids=[name for name, _, _ in damages()],
)
def test_every_damage_to_every_file_is_found(
    folder: Path,
    check: Callable[..., Validation],
    file: str,
    damage: Callable[[Path], None],
    kind: str,
) -> None:
    damage(folder / file)
    validation = check(trusted=False)
    assert validation.verdict is ValidationVerdict.INVALID
    found = [finding for finding in validation.findings if finding.file == file]
    assert kind in {finding.kind for finding in found}
    # The line of the manifest that declares the file.
    line = next(finding.line for finding in found if finding.kind == kind)
    text = (folder / "manifest.json").read_text().splitlines()
    assert line is not None
    assert file in text[line - 1]


@pytest.mark.parametrize("file", [*sorted(DERIVED_FILES), "manifest.json"])
@pytest.mark.parametrize(
    "damage",
    [change for _, change, _ in damages()],
    ids=[name for name, _, _ in damages()],
)
def test_every_damage_to_what_is_made_from_the_manifest_is_found(
    folder: Path,
    check: Callable[..., Validation],
    file: str,
    damage: Callable[[Path], None],
) -> None:
    damage(folder / file)
    validation = check(trusted=False)
    assert validation.verdict is ValidationVerdict.INVALID
    assert kinds(validation) & {"sums", "missing", "manifest", "digest", "size"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("red-1x3x8x8-f32.rgb", "blue-1x3x8x8-f32.rgb"),
        ("red-1x3x8x8-f32.rgb", "fixture.txt"),
        ("classify.wasm", "fixture.txt"),
    ],
)
def test_two_files_that_were_swapped_are_told(
    folder: Path, check: Callable[..., Validation], one: str, other: str
) -> None:
    first, second = (folder / name for name in (one, other))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    validation = check(trusted=False)
    hints = {finding.file: finding.hint for finding in validation.findings if finding.hint}
    assert other in hints[one]
    assert one in hints[other]


@pytest.mark.parametrize("name", ["stray.txt", "folder/stray.bin", "evidence/stray/output.raw"])
def test_an_added_file_is_undeclared(
    folder: Path, check: Callable[..., Validation], name: str
) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"stray")
    assert kinds(check(trusted=False)) == {"undeclared"}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda manifest: manifest["files"].pop(), "undeclared"),
        (lambda manifest: manifest["files"][0].update(size=1), "size"),
        (lambda manifest: manifest["files"][0].update(sha256="0" * 64), "digest"),
        (lambda manifest: manifest["files"][0].update(path="../../etc/passwd"), "manifest"),
        (lambda manifest: manifest["files"][0].update(path="/etc/passwd"), "manifest"),
        (lambda manifest: manifest["model"].update(canonical_digest="0" * 64), "network"),
        (lambda manifest: manifest["model"].update(stem="../tiny"), "manifest"),
        (lambda manifest: manifest["guest"]["imports"].pop(), "imports"),
        (lambda manifest: manifest["guest"].update(program="../classify"), "manifest"),
        (lambda manifest: manifest["guest"].update(seconds=1e9), "manifest"),
        (lambda manifest: manifest["sources"]["red"].update(license=""), "source"),
        (lambda manifest: manifest["sources"]["red"].update(urls=[]), "source"),
        (lambda manifest: manifest["tensors"]["red"]["x"].update(dims=[1, 8, 8, 3]), "tensor"),
        (lambda manifest: manifest["tensors"]["red"]["x"].update(file="../a.rgb"), "manifest"),
        (lambda manifest: manifest.update(manifest_version=99), "manifest"),
        (lambda manifest: manifest.update(name="../tiny"), "manifest"),
        (lambda manifest: manifest.pop("files"), "manifest"),
        (lambda manifest: manifest.pop("steps"), "manifest"),
        (lambda manifest: manifest.pop("outputs"), "manifest"),
        (lambda manifest: manifest["steps"]["ir:tiny"].update(key="none"), "manifest"),
        (lambda manifest: manifest["steps"]["ir:tiny"]["files"].pop(), "step"),
        (lambda manifest: manifest["outputs"]["red"][0].update(dims=[3]), "outputs"),
        (lambda manifest: manifest["outputs"].pop("blue"), "outputs"),
        (lambda manifest: manifest["outputs"]["red"][0].update(file="../a.raw"), "manifest"),
        (lambda manifest: manifest["expect"]["red"].update(top1="first"), "manifest"),
    ],
)
def test_an_edited_manifest_is_found(
    folder: Path,
    check: Callable[..., Validation],
    change: Callable[[dict[str, Any]], None],
    kind: str,
) -> None:
    edit(folder, change)
    assert kind in kinds(check(trusted=False))


def test_a_manifest_and_its_files_edited_together_are_not_the_locked_ones(
    folder: Path, check: Callable[..., Validation]
) -> None:
    import hashlib

    path = folder / "fixture.txt"
    path.write_text(path.read_text() + "\n")

    def follow(manifest: dict[str, Any]) -> None:
        entry = next(file for file in manifest["files"] if file["path"] == "fixture.txt")
        data = path.read_bytes()
        entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())

    edit(folder, follow)
    assert check(trusted=False).verdict is ValidationVerdict.CONSISTENT
    assert kinds(check()) == {"lock"}


def test_sums_that_do_not_hold_are_found(folder: Path, check: Callable[..., Validation]) -> None:
    path = folder / "SHA256SUMS"
    path.write_text(path.read_text().replace("  README.md", "  OTHER.md"))
    validation = check(trusted=False)
    assert kinds(validation) == {"sums"}
    assert {finding.file for finding in validation.findings} == {"README.md", "OTHER.md"}


def test_an_expectation_that_does_not_hold_is_found_by_inferring(
    folder: Path, check: Callable[..., Validation]
) -> None:
    edit(folder, lambda manifest: manifest["expect"]["red"].update(top1=1))
    restate_evidence(folder)
    assert check(trusted=False).verdict is ValidationVerdict.CONSISTENT
    assert kinds(check(trusted=False, run=True)) == {"expect"}


def test_evidence_that_does_not_come_out_is_found(
    folder: Path, check: Callable[..., Validation]
) -> None:
    (path,) = (folder / "evidence" / "red").glob("*.raw")
    path.write_bytes(bytes(path.stat().st_size))
    assert kinds(check(run=True)) == {"evidence"}


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "of an older version"])
@pytest.mark.parametrize(("share", "found"), [(1e-7, set()), (1e-2, {"evidence"})])
def test_evidence_of_another_machine_differs_by_noise_and_no_more(
    folder: Path, check: Callable[..., Validation], share: float, found: set[str], measured: bool
) -> None:
    import numpy

    place = folder / "evidence" / "red"
    (path,) = place.glob("*.raw")
    values = numpy.fromfile(path, "<f4")
    (values * numpy.float32(1 + share)).astype("<f4").tofile(path)
    if not measured:
        report = json.loads((place / "report.json").read_bytes())
        del report["golden"]["outputs"]["y"]["agrees"]
        (place / "report.json").write_text(json.dumps(report))
        edit(folder, lambda manifest: manifest.update(manifest_version=4))
    restate_evidence(folder)
    assert kinds(check(run=True, trusted=measured)) == found


def test_nothing_of_a_damaged_folder_is_executed(
    folder: Path, check: Callable[..., Validation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Iterator[None]:
        raise AssertionError("it was executed")

    monkeypatch.setattr("pipeline.publish.validation.validate_fixture.reverify", refuse)
    (folder / "classify.wasm").write_bytes(b"\0asm\1\0\0\0")
    assert check(run=True).verdict is ValidationVerdict.INVALID


def test_a_tensor_in_another_layout_is_noticed(tmp_path: Path, folder: Path) -> None:
    """The same rule as `wasi-nn inspect`, on a picture that is large enough to tell."""
    import numpy

    from pipeline.publish.release.manifest_tables import ManifestTensor
    from pipeline.publish.validation.check_parts import tensors
    from pipeline.publish.validation.read_manifest import read_manifest

    ramp = numpy.linspace(0, 255, 64, dtype=numpy.float32)
    picture = numpy.stack([ramp + 0 * ramp[:, None], 255 - ramp + 0 * ramp[:, None]] * 2)[:3]
    name = "red-1x3x64x64-f32.rgb"
    stated = read_manifest(folder)
    stated.tensors.clear()
    stated.tensors["red"] = {"x": ManifestTensor(file=name, dims=(1, 3, 64, 64), type="f32")}
    picture.astype("<f4").tofile(folder / name)
    assert list(tensors(folder, stated)) == []
    picture.transpose(1, 2, 0).astype("<f4").tofile(folder / name)
    (finding,) = tensors(folder, stated)
    assert finding.kind == "layout"


OLDER = Path(__file__).parent / "manifests"


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_folder_with_an_older_manifest_is_still_valid(
    folder: Path, check: Callable[..., Validation], version: int
) -> None:
    """The manifests beside this test were written by the commits that had these versions."""
    was = json.loads((OLDER / f"{version}.json").read_bytes())

    def older(manifest: dict[str, Any]) -> None:
        for key in manifest.keys() - was.keys():
            del manifest[key]
        manifest.update({key: was[key] for key in was.keys() - manifest.keys()})
        manifest.update(manifest_version=version)
        assert manifest.keys() == was.keys()

    edit(folder, older)
    assert check(trusted=False, run=True).findings == ()


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_manifest_as_it_was_released_is_read(tmp_path: Path, version: int) -> None:
    from pipeline.publish.validation.read_manifest import read_manifest

    shutil.copyfile(OLDER / f"{version}.json", tmp_path / "manifest.json")
    stated = read_manifest(tmp_path)
    assert (stated.manifest_version, stated.name, stated.stem) == (version, "tiny", "tiny")
    assert {file.path for file in stated.files} == set(REPRODUCIBLE)
    assert stated.tensors["red"]["x"].dims == (1, 3, 8, 8)
    assert stated.expected("blue").top1 == 2


def test_links_and_devices_are_refused(folder: Path, check: Callable[..., Validation]) -> None:
    (folder / "tiny.bin").unlink()
    (folder / "tiny.bin").symlink_to("/etc/passwd")
    assert kinds(check()) == {"name"}
    (folder / "tiny.bin").unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "tiny.bin")
        assert kinds(check()) == {"name"}


def test_a_deep_manifest_is_one_clear_finding(
    folder: Path, check: Callable[..., Validation]
) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)
    assert kinds(check()) == {"manifest"}


def test_the_command_reports_in_every_form(
    folder: Path, locked: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = str(locked.root / "artifacts" / "lock.json")
    assert main(["validate", str(folder), "--lock", lock, "--no-run"]) == 0
    assert capsys.readouterr().out.startswith(f"{folder}: valid by the lock\n  sha256:")
    (folder / "tiny.bin").write_bytes(b"damaged")
    junit = tmp_path / "report.xml"
    options = ["--json", "--github", "--junit", str(junit)]
    assert main(["validate", str(folder), "--lock", lock, *options]) == 1
    out = capsys.readouterr().out
    (told,) = json.JSONDecoder().raw_decode(out)[0]
    assert told["verdict"] == "invalid"
    line = next(line for line in out.splitlines() if line.startswith("::error file="))
    assert "manifest.json,line=" in line
    assert "title=size::tiny.bin" in line
    suite = ElementTree.parse(junit).find("testsuite")
    assert suite is not None
    assert suite.get("failures") == str(len(told["findings"]))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "No folder to validate"),
        (["nowhere", "--lock", "no.json"], "No such lock file"),
        (["a", "b", "--expect", "sha256:0"], "--expect needs a single folder"),
        ([".", "--no-run", "--junit", "/dev/null/report.xml"], "Cannot write the report"),
    ],
)
def test_what_cannot_be_checked_ends_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_folder_without_a_manifest_is_invalid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "file.txt").write_text("some")
    assert main(["validate", str(tmp_path / "some")]) == 1
    assert "Invalid manifest" in capsys.readouterr().out


def test_doit_validates_what_is_built(locked: Project, tmp_path: Path) -> None:
    copy = Project(tmp_path / "project")
    shutil.copytree(locked.root, copy.root)
    run = copy.doit("validate")
    assert run.returncode == 0, run.output
    assert "tiny: valid by the lock" in run.output
    (copy.folder / "tiny.bin").write_bytes(b"damaged")
    assert copy.doit("validate", "tiny").returncode == 1


def test_a_config_that_was_never_built_is_told_beside_those_that_were(
    locked: Project, tmp_path: Path
) -> None:
    copy = Project(tmp_path / "project")
    shutil.copytree(locked.root, copy.root)
    shutil.copy(copy.config, copy.config.with_name("drafted.toml"))
    run = copy.doit("validate", "--no-run")
    assert run.returncode == 2, run.output
    assert "tiny: valid by the lock" in run.output
    assert "The fixture is not built." in run.output
    assert "Build it first: doit manifest:drafted\n" in run.output
    run = copy.doit("lock")
    assert run.returncode == 1
    assert "Build it first: doit manifest:drafted\n" in run.output


@pytest.mark.parametrize("name", ["tiny.bin", "more.bin"])
def test_a_file_that_is_far_too_large_is_not_read(
    folder: Path, check: Callable[..., Validation], name: str
) -> None:
    (folder / name).touch()
    os.truncate(folder / name, 1 << 40)
    (finding,) = check().findings
    assert (finding.file, finding.found) == (name, f"{1 << 40} bytes")


def test_what_is_built_anew_is_held_against_the_lock(locked: Project, tmp_path: Path) -> None:
    copy = Project(tmp_path / "project")
    shutil.copytree(locked.root, copy.root)
    shutil.rmtree(copy.folder)
    run = copy.doit("validate", "--rebuild")
    assert run.returncode == 0, run.output
    assert not copy.folder.exists()
    lock = copy.root / "artifacts" / "lock.json"
    content = json.loads(lock.read_bytes())
    content["fixtures"]["tiny"]["files"]["tiny.bin"]["sha256"] = "0" * 64
    lock.write_text(json.dumps(content))
    assert copy.doit("validate", "--rebuild").returncode == 1


def test_the_workflow_and_the_hook_run_as_they_are(
    locked: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[2]
    workflow = (root / "docs/examples/validate.yml").read_text()
    (command,) = re.findall(r"- run: wasi-nn (.*)", workflow)
    hook = (root / ".pre-commit-hooks.yaml").read_text()
    entry = re.search(r"entry: wasi-nn (.*)", hook)
    arguments = re.search(r"args: \[(.*)\]", hook)
    assert entry
    assert arguments
    monkeypatch.chdir(tmp_path)
    shutil.copytree(locked.folder, tmp_path / "fixtures" / "tiny")
    for line in (command, f"{entry[1]} {arguments[1]}"):
        assert main(line.split()) == 0
    assert (tmp_path / "fixtures.xml").is_file()
    (tmp_path / "fixtures" / "tiny" / "tiny.bin").write_bytes(b"damaged")
    for line in (command, f"{entry[1]} {arguments[1]}"):
        assert main(line.split()) == 1
