"""A project of one good fixture and one guest, to be broken in one place at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load_project
from pipeline.errors import ConfigErrors, PipelineError

FIXTURE = """\
description = "a small network on two pictures"

[source.weights]
urls = [
    "https://example.org/net.caffemodel",
    "pypi:some-package==1.2.1#folder/net.caffemodel",  # the same file
]
sha256 = "72b912ace512e8621f8ff168a7d72af55910d3c7c9445af8dfbff4c2ee960142"
license = "BSD-2-Clause"

[source.topology]
urls = ["file:net.prototxt"]
license = "BSD-2-Clause"

[source.chelsea]
urls = ["file:chelsea.png"]
license = "CC0-1.0"

[model]
framework = "caffe"
files = { weights = "weights", topology = "topology" }
inputs.data = { shape = [1, 3, 8, 8], mean = [104, 117, 123] }
precision = "f32"

[tensor.cat.data]
image = "chelsea"
type = "f32"
resize = "opencv-linear"
colour = "BGR"
range = "0-255"
layout = "NCHW"

[guest]
program = "classify"
memory = "256 MiB"

[golden]
executor = "opencv"
absolute = 1e-5
relative = 1e-3
reason = "its last layer divides by what is nearly zero"

[expect.cat]
top1 = 285
value = 0.45
within = 0.01
"""

GUEST = """\
description = "feeds tensors, writes outputs"
language = "c"
sources = ["guests/classify/main.c"]
"""

FIXTURE_PATH = "configs/fixtures/net.toml"
GUEST_PATH = "configs/guests/classify.toml"


def write_project(root: Path, fixture: str = FIXTURE, guest: str = GUEST) -> Path:
    """Write a project and return its folder."""
    files = {FIXTURE_PATH: fixture, GUEST_PATH: guest, "guests/classify/main.c": "int main;"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def edited(text: str, *edits: tuple[str, str]) -> str:
    """Return a text with each old part, which must be there, replaced once."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_with(text: str, part: str) -> int:
    """Return the number of the only line that holds ``part``."""
    [line] = [number for number, line in enumerate(text.splitlines(), 1) if part in line]
    return line


def errors_of(root: Path) -> tuple[PipelineError, ...]:
    """Return what is wrong with a project that must not load."""
    with pytest.raises(ConfigErrors) as caught:
        load_project(root)
    return caught.value.errors
