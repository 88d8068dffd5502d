"""The wheel works without the checkout: from an empty folder to a fetched fixture."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.packaging.environment import Installed
from tests.tiny import BUILTIN, ROOT, write_model, write_picture

pytestmark = [pytest.mark.network, pytest.mark.slow]

# The light install is for CI jobs that check one folder.
MOST_LIGHT_BYTES = 150 << 20
TENSOR = (
    *("--dims", "1x3x2x2", "--type", "f32", "--layout", "NCHW", "--colour", "RGB"),
    *("--resize", "opencv-linear"),
)
HEAVY = {"openvino", "ziglang", "onnxruntime", "opencv-python-headless", "ai-edge-litert", "doit"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, with a name that is hard on scripts."""
    folder = tmp_path_factory.mktemp("own") / "Projekt für mich"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def published(full: Installed, folder: Path, toolchains: Path) -> Path:
    """A folder with a release of the fixture of a new project, built by the wheel alone."""
    done = full.run("wasi-nn", "init", "a project", cwd=folder)
    assert done.returncode == 0, done.output
    assert "requirements.txt names wasi-nn-pipeline[build]==" in done.output
    assert "  cd 'a project'\n  doit\n" in done.output
    project = folder / "a project"
    assert not (project / "guests").exists()
    (project / "configs/project.toml").write_text(f"toolchains = {str(toolchains)!r}\n")
    first = full.run("doit", cwd=project)
    assert first.returncode == 0, first.output
    assert "2 cases verified" in first.output
    again = full.run("doit", cwd=project)
    assert again.output.startswith("nothing to do"), again.output
    valid = full.run("wasi-nn", "validate", "artifacts", cwd=project)
    assert valid.returncode == 0, valid.output
    assert (project / "artifacts/report.html").is_file()
    sent = full.run("doit", "publish", "--to", folder / "published", "--as", "1.0", cwd=project)
    assert sent.returncode == 0, sent.output
    for path in project.rglob("*"):
        if path.is_file() and "artifacts" not in path.parts and path.name != "project.toml":
            assert str(ROOT).encode() not in path.read_bytes(), path
    return folder / "published"


def test_a_published_fixture_is_fetched_and_checked_by_a_light_install(
    light: Installed, published: Path, folder: Path, tmp_path: Path
) -> None:
    env = {"WASI_NN_CACHE": str(tmp_path / "cache")}
    there = folder / "elsewhere"
    done = light.run(
        "wasi-nn", "fetch", "text-direction@1.0", "--from", published, "-o", there,
        cwd=folder, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.output
    fixture = there / "text-direction"
    done = light.run("wasi-nn", "validate", "--no-run", fixture, cwd=folder)
    assert done.returncode == 0, done.output
    # Every byte is looked at.
    tensor = next(fixture.glob("upright-*.bgr"))
    data = bytearray(tensor.read_bytes())
    data[7] ^= 1
    tensor.chmod(0o644)
    tensor.write_bytes(data)
    done = light.run("wasi-nn", "validate", "--no-run", fixture, cwd=folder)
    assert done.returncode == 1
    assert tensor.name in done.output


def test_the_light_install_inspects_and_serves_the_pytest_plugin(
    light: Installed, published: Path, tmp_path: Path
) -> None:
    release = published / "text-direction/1.0"
    for path in (release / "classify.wasm", next(release.glob("upright-*.bgr"))):
        done = light.run("wasi-nn", "inspect", path, cwd=tmp_path)
        assert done.returncode == 0, done.output
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nwasi_nn_sources = '{published}'\n")
    (tmp_path / "test_it.py").write_text(
        "def test_it(wasi_nn_fixture):\n"
        "    assert (wasi_nn_fixture('text-direction') / 'classify.wasm').is_file()\n"
    )
    env = {"WASI_NN_CACHE": str(tmp_path / "cache")}
    done = light.run("pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.output
    assert "1 passed" in done.output


def test_the_light_install_writes_and_runs_the_kit(light: Installed, tmp_path: Path) -> None:
    done = light.run("wasi-nn", "conformance", "--kit", tmp_path / "kit", cwd=tmp_path)
    assert done.returncode == 0, done.output
    assert (tmp_path / "kit/conformance.py").is_file()
    done = light.run("python", tmp_path / "kit/conformance.py", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.output


def test_the_light_install_is_small(light: Installed) -> None:
    assert not light.packages() & HEAVY
    files = [path for path in light.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MOST_LIGHT_BYTES


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("validate", "{release}"), "run"),
        (("inspect", "{release}/text-direction.xml"), "run"),
        (("convert", "net.onnx", "-o", "out"), "convert"),
        (("tensor", "a.png", ".", *TENSOR), "convert"),
        (("preview", "{tensor}", "a.png"), "convert"),
        (("new", "net", "net.onnx"), "convert"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_command_that_lacks_its_part_names_the_extra(
    command: tuple[str, ...], extra: str, light: Installed, published: Path, tmp_path: Path
) -> None:
    assert light.run("wasi-nn", "init", cwd=tmp_path).returncode == 0
    release = published / "text-direction/1.0"
    tensor = next(release.glob("upright-*.bgr"))
    write_picture(tmp_path / "a.png", (9, 9, 9))
    write_model(tmp_path / "net.onnx")
    arguments = [each.format(release=release, tensor=tensor) for each in command]
    done = light.run("wasi-nn", *arguments, cwd=tmp_path)
    assert done.returncode in (1, 2), done.output
    assert f"pip install 'wasi-nn-pipeline[{extra}] @ file://" in done.output
    assert "Traceback" not in done.output


def test_a_guest_that_finds_no_backend_is_told_what_to_install(
    light: Installed, published: Path, tmp_path: Path
) -> None:
    release = published / "text-direction/1.0"
    folder = f"{release}::fixture"
    done = light.run("wasi-nn", "run", "--dir", folder, release / "classify.wasm", cwd=tmp_path)
    assert done.returncode == 1
    assert "run `pip install 'openvino>=" in done.output


def test_the_wheel_has_the_package_and_its_data_alone(wheel: Path, distributions: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    about = {name for name in names if ".dist-info/" in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names - about == expected
    assert {PurePosixPath(name).name for name in about} == {
        "LICENSE", "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt",
    }  # fmt: skip
    [sdist] = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert expected <= inside
    assert (BUILTIN / "configs/toolchains/mo.lock").relative_to(ROOT).as_posix() in inside
    assert not {name for name in inside if name.startswith(("artifacts", "docs", ".git"))}


def test_the_examples_of_the_documentation_install_and_check_what_is_there(
    full: Installed, wheel: Path, published: Path, tmp_path: Path
) -> None:
    """A repository of fixtures, with the workflow and the hook that docs/examples has."""
    fixture = tmp_path / "fixtures/text-direction"
    fetch = ("fetch", "text-direction", "--from", published, "-o", fixture.parent)
    env = {"WASI_NN_CACHE": str(tmp_path / "cache")}
    assert full.run("wasi-nn", *fetch, cwd=tmp_path, env=env).returncode == 0
    shutil.copytree(wheel.parent, tmp_path / "wheels")
    (tmp_path / "requirements.txt").write_text(f"./wheels/{wheel.name}[run]\n")
    workflow = (ROOT / "docs/examples/validate.yml").read_text()
    hook = (ROOT / "docs/examples/pre-commit-config.yaml").read_text()
    assert hook in (ROOT / "docs/validating.md").read_text()
    steps = re.findall(r"^ +- run: (.*)$", workflow, re.M)
    assert [step.split()[0] for step in steps] == ["pip", "wasi-nn"]
    for command in (*steps, *re.findall(r"entry: (.*)$", hook, re.M)):
        done = full.run("bash", "-c", command, cwd=tmp_path)
        assert done.returncode == 0, done.output
    assert "text-direction" in (tmp_path / "fixtures.xml").read_text()
    (fixture / "fixture.txt").chmod(0o644)
    (fixture / "fixture.txt").write_text("other\n")
    for command in (steps[1], *re.findall(r"entry: (.*)$", hook, re.M)):
        assert full.run("bash", "-c", command, cwd=tmp_path).returncode == 1
