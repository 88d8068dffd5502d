"""The guest of the page for those who write guests is compiled, run and verified."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fork_server import wasi_nn
from tests.tiny import ROOT, Project

PAGE = ROOT / "docs/guest-authors.md"


@pytest.mark.network
def test_the_guest_of_the_page_is_verified_by_what_it_prints(
    tmp_path: Path, toolchains: Path
) -> None:
    text = PAGE.read_text()
    [program] = re.findall(r"^```c\n(.*?)^```$", text, re.M | re.S)
    [expected] = re.findall(r"^```toml\n(\[expect.*?)^```$", text, re.M | re.S)
    project = Project(tmp_path / "mine")
    done = wasi_nn("init", project.root, "--guest", "c", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (project.root / "configs/project.toml").write_text(f"toolchains = {str(toolchains)!r}\n")
    (project.root / "guests/hello/hello.c").write_text(program)
    (project.root / "configs/guests/hello.toml").write_text(
        'description = "the page"\n'
        'sources = ["guests/hello/hello.c"]\nheaders = ["guests/hello/wasi_nn.h"]\n'
    )
    config = project.root / "configs/fixtures/text-direction.toml"
    project.edit('program = "hello"', 'program = "hello"\nload = "name"', config)
    project.edit("[expect.upright]\ntop1 = 0\n", expected, config)
    project.edit("[expect.turned]\n", '[expect.turned]\nstdout = "1"\n', config)
    run = project.doit()
    assert run.returncode == 0, run.output
    assert run.output.count("prints as expected") == 2
