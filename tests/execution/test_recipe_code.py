"""Which changes of the code are another key, and which are none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType

import pytest

from pipeline.config.load_project import load_project
from pipeline.errors import PipelineError
from pipeline.execution import recipe_code
from pipeline.execution.action import Recipe
from pipeline.execution.python_source import read_source
from pipeline.execution.recipe_code import CARRIERS, RecipeCodes
from pipeline.execution.source_modules import PACKAGE, source_modules
from pipeline.graph.all_steps import all_steps
from pipeline.graph.layout import Layout
from pipeline.toolchain.interpreters import find_interpreter
from tests.execution import recipes
from tests.tiny import ROOT

MAKE = """\
'''The step.'''
from __future__ import annotations
from typing import TYPE_CHECKING
from pipeline.room import chosen
from pipeline.room.helper import help_out
from pipeline.execution.action import Job
from pathlib import Path
if TYPE_CHECKING:
    from pipeline.room.only_typed import Typed
_PROGRAM = Path(__file__).with_name("program.py")
_PROGRAMS = Path(__file__).parent / "programs" / "one.py"
def make(job: Job) -> None:
    '''Make it.'''
    from pipeline.room.late import late
    late(help_out(1), _PROGRAM, _PROGRAMS)  # as told
"""
FILES = {
    "__init__.py": "def __getattr__(name):\n    from pipeline.other import fetch\n",
    "other.py": "fetch = 1",
    "execution/__init__.py": "",
    "execution/action.py": "class Job: pass",
    "room/__init__.py": "from pipeline.room import above",
    "room/above.py": "above = 1",
    "room/make.py": MAKE,
    "room/helper.py": "from pipeline.room.deep import deep\ndef help_out(x): return deep + x",
    "room/deep.py": "deep = 1",
    "room/late.py": "def late(*_): pass",
    "room/only_typed.py": "class Typed: pass",
    "room/unrelated.py": "x = 1",
    "room/chosen/__init__.py": "",
    "room/chosen/first.py": "first = 1",
    "room/program.py": "print(1)",
    "room/programs/one.py": "import two",
    "room/programs/two.py": "two = 2",
    "room/programs/three.mjs": "three",
    "room/programs/four.wat": "(module)",
    "room/programs/five.wit": "package a:b;",
    "room/programs/notes.txt": "no code",
}
COUNTED = {
    "__init__.py",
    "room/__init__.py",
    "room/above.py",
    "room/chosen/__init__.py",
    "room/chosen/first.py",
    "room/deep.py",
    "room/helper.py",
    "room/late.py",
    "room/make.py",
    "room/program.py",
    "room/programs/one.py",
    "room/programs/three.mjs",
    "room/programs/four.wat",
    "room/programs/five.wit",
    "room/programs/two.py",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "pipeline"
    for name, text in FILES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def recipe_of(module: str) -> Recipe:
    """Return a function as one that the module defines, which need not be imported."""
    recipe = FunctionType(recipes.nap.__code__, {"__name__": module}, "make")
    recipe.__module__ = module
    return recipe


MAKES = recipe_of("pipeline.room.make")


def digest(package: Path) -> str:
    return RecipeCodes(package=package).of(MAKES).sha256


def test_the_files_are_those_that_the_recipe_reaches(package: Path) -> None:
    files = RecipeCodes(package=package).of(MAKES).files
    assert set(files) == {f"pipeline/{name}" for name in COUNTED}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_change_of_a_file_counts_where_the_recipe_reaches_it(package: Path, name: str) -> None:
    before = digest(package)
    with (package / name).open("a") as file:
        file.write("\nchanged = 1\n")
    assert (digest(package) != before) == (name in COUNTED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'''The step.'''", '"""Another text,\nlonger."""'),
        ("    '''Make it.'''\n", ""),
        ("  # as told", "  # or otherwise"),
        (
            "late(help_out(1), _PROGRAM, _PROGRAMS)",
            "late(\n  help_out((1)),\n  _PROGRAM, _PROGRAMS,\n )",
        ),
        ("'''Make it.'''", "'''Make it.'''\n\n    'A remark.'"),
        ('"program.py"', "'program' '.py'"),
        ("only_typed", "not_there"),
        ("def make", "\n\n\ndef make"),
    ],
)
def test_comments_docstrings_and_formatting_change_nothing(
    package: Path, old: str, new: str
) -> None:
    before = digest(package)
    text = (package / "room/make.py").read_text()
    assert old in text
    (package / "room/make.py").write_text(text.replace(old, new))
    assert digest(package) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("help_out(1)", "help_out(2)"),
        ("help_out(1)", "help_out(1.0)"),
        ("help_out(1)", "help_out('1')"),
        ("help_out(1)", "help_out(b'1')"),
        ("_PROGRAM, _PROGRAMS", "_PROGRAMS, _PROGRAM"),
        ("job: Job", "job: 'Job'"),
    ],
)
def test_a_changed_line_is_another_code(package: Path, old: str, new: str) -> None:
    before = digest(package)
    text = (package / "room/make.py").read_text()
    (package / "room/make.py").write_text(text.replace(old, new))
    assert digest(package) != before


def test_a_file_that_a_package_gains_counts_where_the_package_is_looked_through(
    package: Path,
) -> None:
    before = digest(package)
    (package / "room/chosen/second.py").touch()
    assert digest(package) != before


def test_a_package_somewhere_else_is_the_same_code(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "elsewhere" / "pipeline")
    assert digest(tmp_path / "elsewhere" / "pipeline") == digest(package)


def test_a_relative_import_is_followed(package: Path) -> None:
    (package / "room/deep.py").write_text("from . import unrelated\nfrom ..other import fetch\n")
    files = RecipeCodes(package=package).of(MAKES).files
    assert {"pipeline/room/unrelated.py", "pipeline/other.py"} <= set(files)


def settle() -> None:
    """Let every file be older than a tick of the clock."""
    time.sleep(0.06)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files that were really read."""
    seen: list[bytes] = []

    def reading(data: bytes, package: str) -> object:
        seen.append(data)
        return read_source(data, package)

    monkeypatch.setattr(recipe_code, "read_source", reading)
    return seen


def test_no_version_of_a_file_is_read_twice(
    package: Path, tmp_path: Path, read: list[bytes]
) -> None:
    settle()
    first = RecipeCodes(tmp_path / "memory", package).of(MAKES)
    # Files of other languages are hashed alone.
    python = sum(name.endswith(".py") for name in COUNTED)
    assert len(read) == python
    assert RecipeCodes(tmp_path / "memory", package).of(MAKES) == first
    assert len(read) == python
    (package / "room/deep.py").write_text("deep = 2")
    assert RecipeCodes(tmp_path / "memory", package).of(MAKES) != first
    assert read[python:] == [b"deep = 2"]


def test_a_file_that_was_just_written_is_read_again(
    package: Path, tmp_path: Path, read: list[bytes]
) -> None:
    settle()
    for number in range(20):
        text = f"deep = {number:02}".encode()
        (package / "room/deep.py").write_bytes(text)
        RecipeCodes(tmp_path / "memory", package).of(MAKES)
        assert text in read


@pytest.mark.parametrize("damage", [b"", b"\xff garbage", b"\x92\x90\x81\xa1x\x92\xa1v\x01"])
def test_a_damaged_memory_costs_only_time(package: Path, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "memory").write_bytes(damage)
    assert RecipeCodes(tmp_path / "memory", package).of(MAKES).sha256 == digest(package)


def test_a_change_under_way_is_noticed(package: Path) -> None:
    codes = RecipeCodes(package=package)
    before = codes.of(MAKES)
    (package / "room/unrelated.py").write_text("x = 2")
    assert codes.unchanged(MAKES)
    (package / "room/deep.py").write_text("deep = 2")
    assert not codes.unchanged(MAKES)
    assert codes.of(MAKES) == before
    (package / "room/deep.py").unlink()
    assert not codes.unchanged(MAKES)


def test_a_recipe_outside_of_the_pipeline_is_its_module_and_what_that_imports() -> None:
    files = RecipeCodes().of(recipes.shout).files
    # What it imports only carries a step out.
    assert set(files) == {"tests/execution/recipes.py"}


def test_a_recipe_without_a_file_is_an_error() -> None:
    with pytest.raises(PipelineError, match="The code of a recipe is in no file"):
        RecipeCodes().of(recipe_of("of_no_file"))


def real_recipes() -> dict[str, Recipe]:
    actions = all_steps(Layout(load_project(ROOT)))
    return {f"{each.recipe.__module__}.{each.recipe.__name__}": each.recipe for each in actions}


def counted() -> dict[str, set[str]]:
    """Return the files of each recipe of the pipeline, from the folder of the package."""
    codes = RecipeCodes()
    return {name: set(codes.of(each).files) for name, each in real_recipes().items()}


def test_the_carriers_are_there_and_no_recipe_counts_them() -> None:
    for each in CARRIERS:
        place = PACKAGE.parent.joinpath(*each.split("."))
        assert place.is_dir() or place.with_suffix(".py").is_file(), f"{each} has moved"
    files = set().union(*counted().values())
    names = {file.split("/")[1] for file in files}
    assert not names & {"errors.py", "cache", "execution", "graph", "cli", "report", "doit_plugin"}


def test_the_programs_of_a_step_count() -> None:
    files = counted()
    assert (
        "pipeline/model/convert/programs/preprocessing.py"
        in files["pipeline.model.convert.make_ir.convert"]
    )
    assert "pipeline/guest/languages/asc_program.mjs" in files["pipeline.guest.build.compile_guest"]
    component = files["pipeline.guest.component.build_component.compile_component"]
    assert "pipeline/guest/component/wasi-nn.wit" in component
    verify = files["pipeline.verify.verify_case.verify"]
    assert {
        "pipeline/verify/native_program.py",
        "pipeline/verify/executors/programs/infer_torch.py",
        "pipeline/model/convert/programs/torch_module.py",
        "pipeline/host/backends/openvino.py",
    } <= verify
    assert "pipeline/tensor/resize.py" in files["pipeline.tensor.make_tensor.make_tensor"]


def test_whoever_asks_for_its_own_place_names_what_it_means() -> None:
    """The rule that finds programs sees the names that stand in the module itself."""
    for file in set().union(*counted().values()):
        text = (PACKAGE.parent / file).read_text()
        if "__file__" in text and file.endswith(".py"):
            folder = (PACKAGE.parent / file).parent
            named = read_source(text.encode(), "").texts
            assert any((folder / each).exists() for each in named), file


def test_modules_that_are_found_by_name_are_those_that_the_rule_knows() -> None:
    """An import by a computed name is followed only where a whole package counts."""
    dynamic = ("import_module(", "__import__(", "pkgutil.", "runpy", "exec(", "eval(")
    finding = {
        file
        for file in set().union(*counted().values())
        if file.endswith(".py")
        and any(
            word in line.replace(".eval()", "")
            for line in (PACKAGE.parent / file).read_text().splitlines()
            for word in dynamic
        )
    }
    assert finding == {
        # It imports the package of the backends as a whole.
        "pipeline/host/backend_registry.py",
        # A package of the user's choice, or its folder.
        "pipeline/model/convert/programs/torch_module.py",
        # Model Optimizer of a locked environment.
        "pipeline/model/convert/programs/run_mo.py",
        # A module that a command names; the next test knows those of recipes.
        "pipeline/child_python/start_module_program.py",
    }


def test_modules_that_a_recipe_starts_by_name_count() -> None:
    """A module of ours that a command names is also imported by whoever names it."""
    starting = set()
    for recipe, files in counted().items():
        for file in files - {"pipeline/child_python/commands.py"}:
            text = (PACKAGE.parent / file).read_text()
            if "module_command(" not in text:
                continue
            starting.add(file)
            named = {name.replace(".", "/") for name in re.findall(r'"(pipeline\.[\w.]+)"', text)}
            # It asks pip.
            assert named or file == "pipeline/source/pypi_index.py", file
            assert {f"{name}.py" for name in named} <= files, f"{recipe}: {file}"
    assert "pipeline/host/node_check.py" in starting


def test_every_file_of_the_package_is_code_or_known_to_be_none() -> None:
    code = {Path(path) for path in source_modules(PACKAGE)}
    others = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path not in code and "__pycache__" not in path.parts
    }
    known = (
        # Data: inputs of steps, or read into their parameters, or copied by `wasi-nn init`.
        "builtin/configs/",
        "builtin/guests/",
        "builtin/project/",
        "conformance/kit/README.md",
        "conformance/kit/workflows/",
        "report/html/templates/",
        "py.typed",
    )
    assert [name for name in sorted(others) if not name.startswith(known)] == []


SAMPLE = '''\
"""A sample of what is read in another way by some version of Python."""
from a import b as c, d
type_ = lambda *x, y=1, **z: (x, y, z)
async def f(a, /, b: int = 2, *, c=...) -> "str":
    async with g() as h, i: pass
    return f"{a!r:>{b}} {{x}} {c=} é" f"{b:{a}{b}}" "tail" rf'\\d{a}' + "\\N{BULLET}" "\\U0001fae8"
class G(object, metaclass=type): x: int = 1_000; y = -1.5e300, 1j, b"\\xff", None, True, ...
match x:
    case {"a": [1, *_], **rest} | G(x=1) if y: del z[1:2, ::3]
try: (yield)
except* ValueError as e: raise e from None
'''


def test_a_sample_has_the_digest_that_it_has_on_every_python() -> None:
    assert read_source(SAMPLE.encode(), "").sha256 == (
        "c75871d1ccd67033be2455fbb8ed45038ce7a54d553616b8494d0c5cf1248fd1"
    )


_PROGRAM = """\
import hashlib, sys
from pathlib import Path
from pipeline.execution.python_source import read_source
whole = hashlib.sha256()
for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    source = read_source(path.read_bytes(), "pipeline")
    whole.update(f"{source}".encode())
print(whole.hexdigest())
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_finds_the_same(version: str, tmp_path: Path) -> None:
    found = find_interpreter((version,), tmp_path)
    if found is None:
        pytest.skip(f"there is no Python {version} here")

    def run(program: str | Path) -> str:
        done = subprocess.run(
            [program, "-c", _PROGRAM, str(PACKAGE)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert run(found.program) == run(sys.executable)


def test_a_file_that_is_no_python_is_its_bytes() -> None:
    assert read_source(b"def", "").sha256 != read_source(b"def ", "").sha256
    assert read_source(b"\0", "").imports == []


def test_threads_find_one_answer(package: Path) -> None:
    codes = RecipeCodes(package=package)
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(codes.of, [MAKES] * 64)
        assert len({id(each) for each in found}) == 1
