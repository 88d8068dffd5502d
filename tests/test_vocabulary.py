"""Names are made of the field's words, and its terms have one spelling."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Words that say nothing to a reader who knows doit, OpenVINO, WASI and OCI; what to write instead.
UNWANTED = {
    "amiss": "wrong",
    "announce": "set_current",
    "apart": "subprocess",
    "aside": "atomic",
    "borne": "limit",
    "brought": "imported, downloaded",
    "companions": "derived files",
    "complaint": "error, diagnostic",
    "doits": "builtin",
    "foresee": "plan",
    "foreseen": "planned",
    "foresight": "planner",
    "hush": "to_devnull",
    "lacking": "missing",
    "outlines": "interface",
    "overheard": "progress reader",
    "patience": "retry policy",
    "shortfalls": "unmet expectations",
    "spared": "skippable",
    "survey": "statistics",
    "tell": "render, report, print",
    "tells": "render, report, print",
    "tether": "parent death signal",
    "told": "render, report, print",
    "understood": "with_command_errors",
    "voucher": "stamp",
    "withdraws": "invalidates",
    "wishes": "overrides",
}
# A method that Python itself asks for.
ALLOWED = {"pipeline/source/archive_member.py": {"tell"}}
SPELLINGS = {
    r"\bOpen(Vino|vino)\b|\bOPENVINO\b(?!_)": "OpenVINO",
    r"\bWASI-NN\b|\bWasi-NN\b|\bWasi-nn\b": "wasi-nn",
    r"\bWeb ?assembly\b|\bWeb Assembly\b": "WebAssembly",
    r"\bWasmTime\b|\bWASMtime\b": "Wasmtime",
    r"\bTensorflow\b": "TensorFlow",
    r"\bPytorch\b|\bPyTorch's torch\b": "PyTorch",
    r"\bOnnx\b": "ONNX",
    r"\bMXnet\b|\bMxnet\b": "MXNet",
    r"\bGithub\b": "GitHub",
    r"\bPypi\b": "PyPI",
    r"\bNumpy\b": "NumPy",
    r"\bTflite\b|\bTFlite\b": "TFLite",
}


def modules() -> list[Path]:
    return sorted((ROOT / "pipeline").rglob("*.py"))


def words_of(name: str) -> set[str]:
    """Return the words that an identifier is made of, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def names_of(tree: ast.AST) -> Iterator[str]:
    """Yield the names of classes, functions, parameters and fields."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def unwanted(names: Iterator[str]) -> list[str]:
    return [
        f"{name}: rather {UNWANTED[word]}"
        for name in names
        for word in sorted(words_of(name) & UNWANTED.keys())
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_are_the_terms_of_the_field(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    allowed = ALLOWED.get(name, set())
    names = [path.stem, *names_of(ast.parse(path.read_text()))]
    assert unwanted(each for each in names if each not in allowed) == []


def test_an_unwanted_word_is_found() -> None:
    tree = ast.parse("class Told: ...\ndef f(say, *, foreseen): ...\ndef _tellUs(): ...\n")
    assert [each.partition(":")[0] for each in unwanted(names_of(tree))] == [
        "Told",
        "_tellUs",
        "foreseen",
    ]


def test_a_class_has_one_name() -> None:
    places: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_module_has_one_name() -> None:
    """Commands are named for what is typed, adapters for a runtime; a room may have a `command`."""
    commands = ("pipeline/cli/", "pipeline/doit_plugin/commands/")
    places: dict[str, list[str]] = {}
    for path in modules():
        name = path.relative_to(ROOT).as_posix()
        typed = name.startswith(commands) and name.count("/") == (2 if "cli" in name else 3)
        adapter = path.parent.name == "adapters"
        if path.stem not in ("__init__", "command") and not typed and not adapter:
            places.setdefault(path.stem, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the prose of the project: pages without their code, and docstrings."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if "reference" not in path.parts:
            text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
            yield path.relative_to(ROOT).as_posix(), re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node) or ""
                text = re.sub(r"^>>>.*?(?:\n\n|\Z)", "", text, flags=re.M | re.S)
                yield path.relative_to(ROOT).as_posix(), re.sub(r"`[^`]*`", "", text)


@pytest.mark.parametrize(("wrong", "right"), SPELLINGS.items(), ids=SPELLINGS.values())
def test_a_term_has_one_spelling(wrong: str, right: str) -> None:
    found = {name: match[0] for name, text in texts() if (match := re.search(wrong, text))}
    assert found == {}, f"write {right}"
