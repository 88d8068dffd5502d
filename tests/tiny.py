"""A small project made on the spot: one ONNX model, two pictures, the real guest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fork_server import run_module

ROOT = Path(__file__).parents[1]
BUILTIN = ROOT / "pipeline" / "builtin"

FIXTURE = """\
description = "the mean of each colour, as a class"

[source.model]
urls = ["file:tiny.onnx"]
license = "Apache-2.0"

[source.red]
urls = ["file:red.png"]
license = "Apache-2.0"

[source.blue]
urls = ["file:blue.png"]
license = "Apache-2.0"

[model]
framework = "onnx"
files = { model = "model" }
inputs.x = { shape = [1, 3, 8, 8], mean = [10, 20, 30] }
precision = "f32"

[tensor.red.x]
image = "red"
resize = "opencv-linear"
colour = "RGB"
range = "0-255"
type = "f32"
layout = "NCHW"

[tensor.blue.x]
image = "blue"
resize = "opencv-linear"
colour = "RGB"
range = "0-255"
type = "f32"
layout = "NCHW"

[guest]
program = "classify"
seconds = 20
memory = "64 MiB"

[golden]
executor = "onnxruntime"

[expect.red]
top1 = 0

[expect.blue]
top1 = 2
"""


@dataclass(frozen=True)
class Run:
    """What a run of doit printed, and how it ended."""

    returncode: int
    output: str

    def steps(self, how: str) -> set[str]:
        """Return the steps that were ``built``, ``restored`` or ``FAILED``."""
        found = re.findall(r"^\[ *\d+/ *\d+\] (\S+) (built|restored|FAILED)", self.output, re.M)
        return {name for name, outcome in found if outcome == how}


@dataclass(frozen=True)
class Project:
    """A project folder."""

    root: Path

    def doit(
        self, *arguments: str, seconds: float = 300, env: Mapping[str, str] | None = None
    ) -> Run:
        """Run doit there, in a process that need not import it first."""
        done = run_module("doit", *arguments, cwd=self.root, env=env, seconds=seconds)
        return Run(done.returncode, done.stdout + done.stderr)

    def doit_process(self, *arguments: str, seconds: float = 300) -> Run:
        """Run doit there, as a user would: for what is about Python's start, or about processes."""
        done = subprocess.run(
            [sys.executable, "-m", "doit", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return Run(done.returncode, done.stdout + done.stderr)

    @property
    def config(self) -> Path:
        """The fixture's config."""
        return self.root / "configs" / "fixtures" / "tiny.toml"

    @property
    def folder(self) -> Path:
        """The fixture's folder."""
        return self.root / "artifacts" / "tiny"

    def edit(self, old: str, new: str, path: Path | None = None) -> None:
        """Replace a text in the fixture's config, or in another file."""
        file = path or self.config
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))


def published(project: Project) -> dict[str, bytes]:
    """Return every file of the fixture's folder by its path, and its bytes."""
    return {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for path in sorted(project.folder.rglob("*"))
        if path.is_file()
    }


def make_project(root: Path, toolchains: Path) -> Project:
    """Write the project; ``toolchains`` is shared, since the first compile takes long."""
    (root / "configs" / "fixtures").mkdir(parents=True)
    shutil.copy(ROOT / "dodo.py", root)
    add_guest(root)
    (root / "configs/project.toml").write_text(f"toolchains = {str(toolchains)!r}\n")
    (root / "configs/fixtures/tiny.toml").write_text(FIXTURE)
    write_model(root / "tiny.onnx")
    write_picture(root / "red.png", (250, 30, 40))
    write_picture(root / "blue.png", (20, 30, 240))
    return Project(root)


def add_guest(root: Path) -> None:
    """Give a project a guest of its own, ``classify``, for tests to change."""
    (root / "configs" / "guests").mkdir(parents=True)
    shutil.copytree(BUILTIN / "guests", root / "guests")
    shutil.copy(BUILTIN / "configs/guests/classify.toml", root / "configs/guests")


def write_model(path: Path, scale: float = 0.1) -> None:
    """Write a network that averages each channel and multiplies: 1x3x8x8 to 1x3."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Mul", ["flat", "scale"], ["y"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(numpy.full((1, 3), scale, numpy.float32), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


def write_picture(path: Path, colour: tuple[int, int, int]) -> None:
    """Write a picture of 12 by 10 pixels, of one colour with a brighter corner."""
    from PIL import Image

    picture = Image.new("RGB", (12, 10), colour)
    picture.putpixel((0, 0), (255, 255, 255))
    picture.save(path)
