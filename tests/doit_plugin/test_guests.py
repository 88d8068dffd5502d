"""A fixture may name a guest of any language."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.guest.compiling import compile_named
from tests.tiny import Project


@pytest.mark.parametrize(
    ("program", "language", "packages"),
    [
        # It compiles C++'s whole library first.
        pytest.param("classify-cpp", "c++", {"ziglang"}, marks=pytest.mark.slow),
        ("classify-rust", "rust", set()),
        ("classify-wat", "wat", set()),
        ("classify-zig", "zig", {"ziglang"}),
    ],
)
def test_it_is_verified_with_that_guest_and_gives_the_same(
    program: str,
    language: str,
    packages: set[str],
    project: Project,
    toolchains: Path,
    tmp_path: Path,
) -> None:
    # Skips where its compiler is not installed.
    compile_named(program, tmp_path / "trial", toolchains)
    outputs = {path.name: path.read_bytes() for path in project.folder.rglob("*.raw")}
    project.edit('program = "classify"', f'program = "{program}"')
    run = project.doit()
    assert run.returncode == 0, run.output
    assert {"verify:tiny.red", "verify:tiny.blue"} <= run.steps("built")
    assert (project.folder / f"{program}.wasm").exists()
    assert not (project.folder / "classify.wasm").exists()
    assert {path.name: path.read_bytes() for path in project.folder.rglob("*.raw")} == outputs
    manifest = json.loads((project.folder / "manifest.json").read_text())
    assert manifest["guest"]["language"] == language
    assert packages == {"ziglang"} & manifest["tools"].keys()
