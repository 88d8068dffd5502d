"""Content hashing decides what doit builds, on a small project made on the spot."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.tiny import Project, Run, write_picture

ALL = {
    "source:tiny.model",
    "source:tiny.red",
    "source:tiny.blue",
    "ir:tiny",
    "tensor:tiny.red",
    "tensor:tiny.blue",
    "guest:classify",
    "fixture:tiny",
    "verify:tiny.red",
    "verify:tiny.blue",
    "manifest:tiny",
}


def assert_nothing_to_do(run: Run) -> None:
    assert run.returncode == 0
    assert run.output == f"nothing to do: {len(ALL)} steps are up to date\n"


def test_the_second_run_does_nothing(project: Project) -> None:
    shutil.rmtree(project.root / "artifacts")
    assert project.doit().returncode == 0
    assert_nothing_to_do(project.doit())


def test_a_moved_project_is_still_up_to_date(project: Project) -> None:
    assert_nothing_to_do(project.doit())


def test_touching_every_file_rebuilds_nothing(project: Project) -> None:
    for path in project.root.rglob("*"):
        if path.is_file():
            os.utime(path)
    assert_nothing_to_do(project.doit())


def test_a_changed_photo_rebuilds_its_tensor_and_its_verification_alone(project: Project) -> None:
    write_picture(project.root / "red.png", (240, 10, 10))
    run = project.doit()
    assert run.returncode == 0
    assert run.steps("built") == {
        "source:tiny.red",
        "tensor:tiny.red",
        "verify:tiny.red",
        "manifest:tiny",
    }


def test_a_changed_mean_rebuilds_the_ir_and_what_follows(project: Project) -> None:
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 31]")
    run = project.doit()
    assert run.steps("built") == {
        "ir:tiny",
        "verify:tiny.red",
        "verify:tiny.blue",
        "manifest:tiny",
    }
    project.edit("mean = [10, 20, 31]", "mean = [10, 20, 30]")
    again = project.doit()
    assert again.steps("built") == set()
    assert again.steps("restored") == run.steps("built")


def test_an_edited_guest_rebuilds_the_guest_and_the_verifications(project: Project) -> None:
    source = project.root / "guests/classify/classify.c"
    source.write_text(source.read_text() + "\nint unused_by_anyone(void) { return 42; }\n")
    run = project.doit()
    assert run.returncode == 0, run.output
    assert "guest:classify" in run.steps("built")
    assert run.steps("built") <= {
        "guest:classify",
        "fixture:tiny",
        "verify:tiny.red",
        "verify:tiny.blue",
        "manifest:tiny",
    }


def test_a_comment_in_the_guest_ends_at_the_guest(project: Project) -> None:
    source = project.root / "guests/classify/classify.c"
    source.write_text(source.read_text() + "\n/* a remark */\n")
    run = project.doit()
    # The compiled bytes are the same, so nothing follows but the manifest, which tells the key.
    assert run.steps("built") == {"guest:classify", "manifest:tiny"}
    assert "verify:tiny.red" not in run.steps("restored")


@pytest.mark.parametrize(
    "name", ["tiny.xml", "tiny.bin", "model.bin", "red-1x3x8x8-f32.rgb", "classify.wasm"]
)
@pytest.mark.parametrize("damage", ["flipped", "deleted"])
def test_a_target_changed_by_hand_is_restored(project: Project, name: str, damage: str) -> None:
    file = project.folder / name
    before = file.read_bytes()
    if damage == "deleted":
        file.unlink()
    else:
        status = file.stat()
        file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    run = project.doit()
    assert run.returncode == 0, run.output
    assert file.read_bytes() == before
    assert run.steps("built") == set()
    assert run.steps("restored")
    assert_nothing_to_do(project.doit())


def test_evidence_edited_by_hand_is_restored(project: Project) -> None:
    report = project.folder / "evidence/red/report.json"
    report.write_text(report.read_text().replace('"native_equal": true', '"native_equal": false'))
    run = project.doit()
    assert "verify:tiny.red" in run.steps("restored")
    assert '"native_equal": true' in report.read_text()


@pytest.mark.parametrize("remembered", [False, True])
def test_what_someone_put_into_the_evidence_goes(project: Project, remembered: bool) -> None:
    for _ in range(2 if remembered else 0):
        assert_nothing_to_do(project.doit())
    foreign = project.folder / "evidence/red/foreign.raw"
    foreign.touch()
    assert project.doit().steps("restored") >= {"verify:tiny.red"}
    assert not foreign.exists()


def test_a_renamed_case_leaves_nothing_of_its_old_name(project: Project) -> None:
    project.config.write_text(project.config.read_text().replace(".red", ".rosso"))
    note = project.folder / "a-note-of-mine.txt"
    note.write_text("keep")
    # The source of that name is renamed too, for the config to hold.
    project.edit('image = "red"', 'image = "rosso"')
    assert project.doit().returncode == 0
    names = {path.name for path in project.folder.rglob("*")}
    assert not [name for name in names if name.startswith("red")]
    assert {"rosso-1x3x8x8-f32.rgb", "rosso", note.name} <= names


def test_without_the_cache_all_is_built_again(project: Project) -> None:
    import shutil

    shutil.rmtree(project.root / "artifacts/.cache")
    assert project.doit().steps("built") == ALL


def test_forget_and_always_run_a_step_again(project: Project) -> None:
    assert project.doit("forget", "ir:tiny").returncode == 0
    assert project.doit("ir:tiny").steps("built") == {"ir:tiny"}
    assert project.doit("run", "-a", "tensor:tiny.red").steps("built") == {
        "source:tiny.red",
        "tensor:tiny.red",
    }


def test_clean_removes_what_was_built(project: Project) -> None:
    assert project.doit("clean", "-a").returncode == 0
    assert not list(project.folder.rglob("*.*"))
    assert "ir:tiny" in project.doit().steps("restored")


def test_two_runs_at_once_build_each_step_once(project: Project, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 33]")
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: project.doit(), range(2)))
    assert [run.returncode for run in runs] == [0, 0], runs
    built = [step for run in runs for step in run.steps("built")]
    assert sorted(built) == sorted(set(built))
    assert "ir:tiny" in built


def test_list_names_every_step(project: Project) -> None:
    listed = project.doit("list", "--all").output
    assert all(step in listed for step in ALL)


def test_a_step_can_be_asked_for_by_its_target(project: Project) -> None:
    (project.folder / "tiny.xml").unlink()
    run = project.doit("artifacts/tiny/tiny.xml")
    assert run.steps("restored") == {"ir:tiny"}


def test_a_file_of_a_config_that_never_held_goes_too(project: Project) -> None:
    project.edit("shape = [1, 3, 8, 8]", "shape = [1, 3, 9, 9]")
    wrong = project.folder / "red-1x3x9x9-f32.rgb"
    assert project.doit().returncode == 1
    assert wrong.exists()
    project.edit("shape = [1, 3, 9, 9]", "shape = [1, 3, 8, 8]")
    assert project.doit().returncode == 0
    assert not wrong.exists()


def test_an_edited_file_is_not_the_one_with_the_digest(project: Project) -> None:
    """Also after it was built: what is in the cache is no longer what the project has."""
    photo = project.root / "red.png"
    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    project.edit('urls = ["file:red.png"]', f'urls = ["file:red.png"]\nsha256 = "{digest}"')
    assert project.doit().returncode == 0
    assert not project.doit().steps("built")
    write_picture(photo, (200, 30, 40))
    run = project.doit()
    assert run.returncode == 1
    assert run.steps("FAILED") == {"source:tiny.red"}
    assert f"expected: sha256 {digest}" in run.output
    assert "red.png" in run.output


def test_a_step_that_fails_names_the_line_that_declared_it(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    line = project.config.read_text().splitlines().index("[expect.red]") + 1
    assert f"declared in configs/fixtures/tiny.toml:{line}" in project.doit().output
