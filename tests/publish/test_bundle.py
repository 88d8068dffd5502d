"""A fixture's companions and its archive: by their schemas, and the same bytes each time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.publish.release.release import release_of
from pipeline.publish.release.write_bundle import write_bundle
from tests.tiny import ROOT, Project


def read(built: Project, name: str) -> Any:
    return json.loads((built.folder / name).read_bytes())


def test_the_sums_are_those_of_all_files(built: Project) -> None:
    checked = subprocess.run(
        ["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=built.folder, check=False
    )
    assert checked.returncode == 0
    release = release_of(built.folder, "1.0")
    assert (built.folder / "SHA256SUMS").read_bytes() == release.sums()
    assert {"README.md", "bom.json", "manifest.json", "tiny.xml"} <= {
        file.path for file in release.files
    }


def test_the_provenance_is_an_in_toto_statement(built: Project) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement

    document = read(built, "provenance.json")
    parsed = json_format.ParseDict(document, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    # Unknown fields are refused.
    json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
    subjects = {each["name"]: each["digest"]["sha256"] for each in document["subject"]}
    for file in read(built, "manifest.json")["files"]:
        assert subjects[file["path"]] == file["sha256"]
    needed = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {each["name"] for each in needed} == {"blue", "model", "red"}


def test_the_bill_of_materials_is_cyclonedx(built: Project) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = (built.folder / "bom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    (model,) = [each for each in components if each["type"] == "machine-learning-model"]
    assert model["name"] == "tiny.xml"
    assert model["modelCard"]["modelParameters"]["inputs"] == [{"format": "x: f32 1x3x8x8"}]
    licences = [each["licenses"] for each in components if "licenses" in each]
    assert licences == [[{"license": {"name": "Apache-2.0"}}]] * 3


def test_the_card_tells_how_to_run_it_and_what_comes_out(built: Project) -> None:
    text = (built.folder / "README.md").read_text()
    assert text.startswith("---\nlicense: apache-2.0\nlibrary_name: openvino\n")
    assert "\n# tiny\n" in text
    assert "wasi-nn run --dir tiny::fixture tiny/classify.wasm -- red" in text
    assert "| red | x | `red-1x3x8x8-f32.rgb` | image red | top 1 is 0 |" in text
    assert "| model | Apache-2.0 | file:tiny.onnx |" in text


def test_what_was_found_is_shown_beside_it(built: Project) -> None:
    from PIL import Image

    text = (built.folder / "evidence" / "README.md").read_text()
    assert "| 1 | 0  | 24.00" in text
    assert "![red](red/input0.source.png) | ![red-1x3x8x8-f32.rgb](red/input0.tensor.png)" in text
    with Image.open(built.folder / "evidence/red/input0.source.png") as picture:
        assert picture.size == (12, 10)
        assert picture.getpixel((6, 6)) == (250, 30, 40)
    with Image.open(built.folder / "evidence/red/input0.tensor.png") as picture:
        assert picture.size == (8, 8)
        assert picture.getpixel((4, 4)) == (250, 30, 40)


def test_a_card_names_the_class_that_is_expected(built: Project) -> None:
    from pipeline.publish.release.card import card

    manifest = read(built, "manifest.json")
    manifest["classes"]["red"] = "reddish"
    assert "top 1 is 0 reddish |" in card(manifest)
    manifest["sources"]["model"]["license"] = "Our own: ask"
    assert "license: other\n" in card(manifest)


def test_what_a_config_says_cannot_break_the_card(built: Project) -> None:
    from pipeline.publish.release.card import card

    manifest = read(built, "manifest.json")
    manifest["description"] = "a | b <script>\n# no heading"
    text = card(manifest)
    assert "a \\| b &lt;script> # no heading" in text


def test_the_archive_is_the_same_bytes_from_another_folder(built: Project, tmp_path: Path) -> None:
    release = release_of(built.folder, "1.0")
    first = write_bundle(release, built.folder, tmp_path / "first")
    other = shutil.copytree(built.folder, tmp_path / "other" / "tiny")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    second = write_bundle(release_of(other, "2.0"), other, tmp_path / "second")
    assert [path.name for path in first] == ["tiny.tar.gz", "tiny.evidence.tar.gz"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    with tarfile.open(first[0]) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert release_of(tmp_path / "out" / "tiny", "1.0").digest == release.digest
    assert os.access(tmp_path / "out" / "tiny" / "regenerate.sh", os.X_OK)


def test_the_command_writes_archives_and_their_sums(project: Project) -> None:
    run = project.doit("bundle")
    assert run.returncode == 0, run.output
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "tiny.SHA256SUMS"],
        cwd=project.root / "bundles",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == "tiny.tar.gz: OK\ntiny.evidence.tar.gz: OK\n"


@pytest.mark.skipif(os.name == "nt", reason="owners and umask are those of POSIX")
def test_the_archive_is_the_same_bytes_for_another_user_umask_and_time_zone(
    built: Project, tmp_path: Path
) -> None:
    made = []
    for name, mask, zone, user in (
        ("one", 0o022, "UTC", 0),
        ("zwei, anderswo", 0o077, "Pacific/Auckland", 65534),
    ):
        copy = Project(tmp_path / name / "project")
        shutil.copytree(built.root, copy.root)
        if os.geteuid() == 0:
            for path in (copy.root, *copy.root.rglob("*")):
                os.chown(path, user, user, follow_symlinks=False)
        out = tmp_path / name / "out"
        ran = subprocess.run(
            [sys.executable, "-m", "doit", "bundle", "--out", str(out)],
            cwd=copy.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": zone, "LC_ALL": "C"},
            umask=mask,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        made.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert set(made[0]) == {"tiny.tar.gz", "tiny.evidence.tar.gz", "tiny.SHA256SUMS"}
    assert made[0] == made[1]
    with tarfile.open(tmp_path / "one" / "out" / "tiny.tar.gz") as archive:
        for entry in archive:
            assert (entry.uid, entry.gid, entry.uname, entry.mtime) == (0, 0, "", 0)


def test_what_was_found_travels_in_onnx_s_layout(project: Project, tmp_path: Path) -> None:
    """The reader is onnx's own."""
    import numpy
    import onnx
    from onnx import numpy_helper

    assert project.doit("bundle").returncode == 0
    with tarfile.open(project.root / "bundles" / "tiny.evidence.tar.gz") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    folder = tmp_path / "out/tiny/evidence/red/test_data_set_0"
    given, found = (
        numpy_helper.to_array(onnx.load_tensor(str(folder / f"{kind}_0.pb")))
        for kind in ("input", "output")
    )
    raw = numpy.fromfile(project.folder / "red-1x3x8x8-f32.rgb", "<f4")
    numpy.testing.assert_array_equal(given.ravel(), raw)
    assert (given.shape, found.shape) == ((1, 3, 8, 8), (1, 3))
    assert int(found.argmax()) == 0


@pytest.mark.parametrize("change", [False, True])
def test_the_script_builds_the_same_bytes_from_nothing(
    project: Project, tmp_path: Path, change: bool
) -> None:
    bundle = shutil.copytree(project.folder, tmp_path / "bundle")
    checkout = tmp_path / "checkout"
    shutil.copytree(project.root, checkout, ignore=shutil.ignore_patterns("artifacts"))
    (checkout / "artifacts").mkdir()
    if change:
        project.edit(
            "mean = [10, 20, 30]", "mean = [1, 2, 3]", checkout / "configs/fixtures/tiny.toml"
        )
    ran = subprocess.run(
        ["sh", str(bundle / "regenerate.sh"), str(checkout)],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode != 0) is change, ran.stdout + ran.stderr
    if not change:
        assert ran.stdout.endswith("tiny: identical bytes\n")
