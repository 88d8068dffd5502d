"""A change of the pipeline's own code builds anew what it may change, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doit_plugin.test_rebuilds import ALL, assert_nothing_to_do
from tests.tiny import ROOT, Project, Run, make_project, published

TENSORS = {"tensor:tiny.red", "tensor:tiny.blue"}
VERIFIED = {"verify:tiny.red", "verify:tiny.blue"}


@dataclass(frozen=True)
class Checkout(Project):
    """A project that is built by a copy of the pipeline, as a branch has one."""

    code: Path

    def doit(
        self, *arguments: str, seconds: float = 300, env: Mapping[str, str] | None = None
    ) -> Run:
        """Run the copy's doit."""
        done = subprocess.run(
            [sys.executable, "-m", "doit", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**(env or os.environ), "PYTHONPATH": str(self.code)},
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file of the copy."""
        self.edit(old, new, self.code / "pipeline" / file)

    def due(self) -> set[str]:
        """Return the steps that ``doit plan`` says would run."""
        plan = json.loads(self.doit("plan", "--json").output)
        return {step["name"] for step in plan["steps"] if step["intent"] == "run"}


def checkout(folder: Path, toolchains: Path) -> Checkout:
    root, code = folder / "project", folder / "code"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", code / "pipeline", ignore=skipped)
    return Checkout(make_project(root, toolchains).root, code)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Checkout:
    """A project that was built once; tests copy it and do not change it."""
    one = checkout(tmp_path_factory.mktemp("code"), toolchains)
    run = one.doit()
    assert run.steps("built") == ALL, run.output
    return one


@pytest.fixture
def copied(first: Checkout, tmp_path: Path) -> Checkout:
    """A built project and a copy of the pipeline of the test's own."""
    for name, folder in (("project", first.root), ("code", first.code)):
        shutil.copytree(folder, tmp_path / name)
    return Checkout(tmp_path / "project", tmp_path / "code")


def test_what_a_step_does_not_import_builds_nothing(copied: Checkout) -> None:
    copied.change("cli/new/photo.py", "import", "import sys\nimport")
    copied.change("tensor/layout_detector.py", "import", "import sys\nimport")
    copied.change("execution/pool/worker_pool.py", "_ATTEMPTS = 3", "_ATTEMPTS = 4")
    assert_nothing_to_do(copied.doit())


def test_comments_docstrings_and_formatting_build_nothing(copied: Checkout) -> None:
    copied.change("tensor/resize.py", '"""', '"""In other words: ')
    copied.change("tensor/make_tensor.py", "\n\n\ndef ", "\n\n\n\n# A remark.\ndef ")
    copied.change(
        "model/convert/programs/preprocessing.py", "import sys\n", "import sys  # for its exit\n\n"
    )
    assert_nothing_to_do(copied.doit())


def test_a_line_of_a_recipe_builds_its_steps_and_ends_where_the_bytes_are_the_same(
    copied: Checkout,
) -> None:
    with (copied.code / "pipeline/tensor/make_tensor.py").open("a") as module:
        module.write("\n_NOBODY_ASKS = 1\n")
    assert copied.due() == TENSORS
    # The manifest tells the keys.
    assert copied.doit().steps("built") == TENSORS | {"manifest:tiny"}


def test_a_line_of_what_a_recipe_imports_builds_its_steps_and_what_follows(
    copied: Checkout,
) -> None:
    before = published(copied)
    copied.change("tensor/resize.py", "INTER_LINEAR", "INTER_AREA")
    for name in TENSORS:
        why = copied.doit("why", name).output
        assert why == f"{name} would run\n  code: pipeline/tensor/resize.py changed\n"
    assert copied.due() == TENSORS
    run = copied.doit()
    assert run.steps("built") == TENSORS | VERIFIED | {"manifest:tiny"}, run.output
    name = "red-1x3x8x8-f32.rgb"
    assert published(copied)[name] != before[name]
    copied.change("tensor/resize.py", "INTER_AREA", "INTER_LINEAR")
    again = copied.doit()
    assert (again.steps("built"), again.steps("restored")) == (set(), run.steps("built"))
    assert published(copied) == before


@pytest.mark.parametrize(
    ("program", "due"),
    [
        ("verify/native_program.py", VERIFIED),
        ("model/convert/programs/preprocessing.py", {"ir:tiny", *VERIFIED}),
        ("guest/languages/asc_program.mjs", {"guest:classify"}),
        ("host/backends/openvino.py", VERIFIED),
    ],
)
def test_a_program_that_a_step_runs_is_its_code_too(
    copied: Checkout, program: str, due: set[str]
) -> None:
    for _ in range(2):
        assert_nothing_to_do(copied.doit())  # What it remembers must notice too.
    with (copied.code / "pipeline" / program).open("a") as file:
        file.write("\nchanged = 1\n" if program.endswith(".py") else "\n// changed\n")
    plan = json.loads(copied.doit("plan", "--json").output)["steps"]
    found = {each["name"]: each for each in plan if each["intent"] not in ("current", "depends")}
    assert set(found) | {each["name"] for each in plan if each["intent"] == "depends"} >= due
    told = [reason for each in found.values() for reason in each["reasons"]]
    assert set(told) == {f"code: pipeline/{program} changed"}
    assert copied.doit("list").returncode == 0
    assert not copied.doit().output.startswith("nothing to do")


def test_a_branch_whose_recipe_differs_poisons_nobody(
    first: Checkout, tmp_path: Path, toolchains: Path
) -> None:
    """A writable remote cache, which a branch and the main line share."""
    remote = f'\n[remote]\nurl = "{(tmp_path / "remote").as_uri()}"\nwrite = true\n'
    made = {}
    for name in ("branch", "main", "other"):
        one = checkout(tmp_path / name, toolchains)
        with (one.root / "configs/project.toml").open("a") as settings:
            settings.write(remote)
        if name == "branch":
            one.change("tensor/resize.py", "INTER_LINEAR", "INTER_AREA")
        made[name] = one.doit()
        assert made[name].returncode == 0, made[name].output
        if name != "branch":
            assert published(one)["red-1x3x8x8-f32.rgb"] == published(first)["red-1x3x8x8-f32.rgb"]
    assert made["branch"].steps("built") == ALL
    assert made["main"].steps("built") == TENSORS | VERIFIED | {"manifest:tiny"}
    assert made["main"].steps("restored") == ALL - made["main"].steps("built")
    assert (made["other"].steps("built"), made["other"].steps("restored")) == (set(), ALL)
