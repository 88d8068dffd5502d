"""Every command that the README and the pages show is run, and prints what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path

import pytest

from pipeline.cli.main import COMMANDS
from pipeline.graph.kinds import KINDS
from tests.docs.transcript import Shown, agrees, run, shown_in
from tests.publish.places import site
from tests.tiny import ROOT, Project, Run

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWING = [path for path in PAGES if list(shown_in(path.read_text()))]
# These make the environment that the tests run in: the gate runs them itself.
BY_THE_GATE = {"pip install -e '.[build]' && doit", "pip install -e '.[test]' && pytest"}
BACKENDS = ROOT / "docs/backends.md"
DOIT_OWN = {"list", "forget", "clean", "help", "info"}


def commands(path: Path) -> list[Shown]:
    return [each for each in shown_in(path.read_text()) if each.command not in BY_THE_GATE]


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A home of the reader's own, and the programs of this environment on the checkout's code."""
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path / "checkout"),
        "WASI_NN_CACHE": str(tmp_path / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }


@pytest.fixture
def checkout(shipped: tuple[Project, Run], tmp_path: Path) -> Path:
    """A checkout after its first `doit`, with a reader's own files beside."""
    project, first = shipped
    assert first.returncode == 0, first.output
    root = tmp_path / "checkout"
    shutil.copytree(project.root, root)
    return root


@pytest.fixture
def served(checkout: Path, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """What is published in the checkout, at an address that stands for fixtures.example."""
    with site(tmp_path / "site") as place:
        (tmp_path / "site").rmdir()
        (checkout / "published").mkdir()
        (tmp_path / "site").symlink_to(checkout / "published")
        yield lambda text: text.replace("https://fixtures.example", place.sources)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.needs("curl")
@pytest.mark.parametrize("page", SHOWING, ids=lambda path: path.stem)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path,
    checkout: Path,
    environment: Mapping[str, str],
    served: Callable[[str], str],
) -> None:
    prepare(page.stem, checkout, environment)
    printed = ""
    folder = checkout
    for shown in commands(page):
        asked = Shown(shown.line, served(shown.command), tuple(map(served, shown.output)))
        said, folder = run(asked, folder, environment, printed)
        assert agrees(asked, said), f"line {shown.line}: {shown.command}\n{said}"
        printed += said


def prepare(page: str, checkout: Path, environment: Mapping[str, str]) -> None:
    """Put a reader's own files where the page's commands expect them."""
    sources = checkout / "artifacts/.steps/squeezenet/sources"
    folder = checkout / "artifacts/squeezenet"
    match page:
        case "quickstart":
            model = checkout / "artifacts/.steps/text-direction/sources/model.onnx"
            shutil.copy(model, checkout / "net.onnx")
            photo(sources / "chelsea.png", checkout / "cat.jpg")
        case "README":
            model = checkout / "artifacts/.steps/text-direction/sources/model.onnx"
            shutil.copy(model, checkout.parent / "net.onnx")
            photo(sources / "chelsea.png", checkout.parent / "cat.jpg")
        case "runtimes":
            publish = Shown(0, "doit publish --to published --as 1.0", ())
            run(publish, checkout, environment, "")
        case "project":
            shutil.copy(sources / "weights.caffemodel", checkout / "net.caffemodel")
            shutil.copy(sources / "topology.prototxt", checkout / "net.prototxt")
            photo(sources / "chelsea.png", checkout / "cat.jpg")
        case "backends":
            module = re.search(r"^```python\n(.*?)^```$", BACKENDS.read_text(), re.M | re.S)
            assert module
            (checkout / "pipeline/host/backends/reference.py").write_text(module[1])
        case "tensors":
            tensor = "1x3x227x227-f32.bgr"
            shutil.copy(folder / f"cat-{tensor}", checkout / f"tensor-{tensor}")
        case "validating":
            shutil.copytree(folder, checkout / "fixtures/squeezenet")


def photo(source: Path, target: Path) -> None:
    """Write a picture as the JPEG that a reader has."""
    from PIL import Image

    with Image.open(source) as picture:
        picture.convert("RGB").save(target, quality=95)


def test_the_gate_runs_what_is_not_run_here() -> None:
    gate = (ROOT / ".ci/run").read_text()
    for command in BY_THE_GATE:
        for part in command.split(" && "):
            assert re.search("^" + re.escape(part.replace("install", "install -q")), gate, re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_within_a_page_s_text_are_there(page: Path) -> None:
    ours = {point.name for point in distribution("wasi-nn-pipeline").entry_points}
    for code in re.findall(r"`((?:doit|wasi-nn) [^`]+)`", page.read_text()):
        tool, first, *_ = shlex.split(code)
        if tool == "wasi-nn":
            assert first in COMMANDS, code
        else:
            assert first.startswith("-") or ":" in first or first in ours | DOIT_OWN | TASKS, code


TASKS = set(KINDS)
