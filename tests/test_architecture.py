"""Check the direction of imports, and what loads when."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from pipeline.graph.kinds import KINDS

ROOT = Path(__file__).parents[1]
LEVELS = (
    ("builtin", "errors", "telemetry", "element_types", "protobuf", "child_python"),
    ("scratch",),
    ("bucket", "http"),
    ("cache", "host"),
    ("config", "execution"),
    ("source", "toolchain"),
    ("tensor",),
    ("model", "guest"),
    ("verify",),
    ("conformance",),
    ("publish", "report"),
    ("graph",),
    ("cli",),
    ("doit_plugin",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
HEAVY = ("numpy", "openvino", "PIL", "cv2", "onnxruntime", "wasmtime", "rich", "requests", "jinja2")


def rooms_imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("pipeline.")}


def violations(room: str, tree: ast.AST) -> list[str]:
    return [
        f"{room} imports {other}"
        for other in sorted(rooms_imported(tree) - {room})
        if LEVEL[other] >= LEVEL[room]
    ]


def source_files() -> list[Path]:
    return sorted(path for path in (ROOT / "pipeline").rglob("*.py") if path.stem != "__init__")


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")


def test_children_of_python_start_in_one_way() -> None:
    """Elsewhere ``sys.executable`` is compared, shown, or given to ``child_python``."""
    named = {
        path.relative_to(ROOT / "pipeline").as_posix()
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.List | ast.Tuple)
        and any(ast.unparse(each) == "sys.executable" for each in node.elts)
    }
    # The second runs itself again; that of the kit runs without this package.
    adapters = {each for each in named if each.startswith("conformance/kit/")}
    assert named - adapters <= {"child_python/commands.py", "execution/process.py"}


def test_imports_run_one_way() -> None:
    assert {
        path.relative_to(ROOT).as_posix(): found
        for path in source_files()
        if (found := violations(room_of(path), ast.parse(path.read_text())))
    } == {}


def test_an_arrow_that_runs_back_is_found() -> None:
    tree = ast.parse("def late():\n    from pipeline.doit_plugin.loader import StepTasks\n")
    assert violations("cache", tree) == ["cache imports doit_plugin"]


def test_only_the_plugin_imports_doit() -> None:
    knowing = {
        room_of(path)
        for path in (ROOT / "pipeline").rglob("*.py")
        if any(
            line.startswith(("import doit", "from doit")) for line in path.read_text().splitlines()
        )
    }
    assert knowing == {"doit_plugin"}


def test_loading_dodo_imports_nothing_heavy() -> None:
    program = (
        f"import sys, runpy; runpy.run_path('dodo.py'); print(*({HEAVY!r} & sys.modules.keys()))"
    )
    program = program.replace(repr(HEAVY), f"set({HEAVY!r})")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_a_file_is_one_room() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in source_files()}
    assert {path.relative_to(ROOT).as_posix(): n for path, n in lines.items() if n > 400} == {}


def test_no_file_names_a_package_registry() -> None:
    hosts = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    naming = [
        name
        for name in listed.stdout.splitlines()
        if (ROOT / name).is_file()
        and any(host.encode() in (ROOT / name).read_bytes() for host in hosts)
    ]
    assert naming == []


def modules_imported(path: Path, modules: set[str]) -> set[str]:
    """Return the modules of the project that a file imports, whenever it does."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                imported.add(name if name in modules else node.module)
    return imported & modules


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in source_files()
    }
    graph = {name: modules_imported(path, set(names)) for name, path in names.items()}
    # What imports nothing that is left, or is imported by nothing that is left, is in no circle.
    while ends := {name for name in graph if not graph[name] & graph.keys()} | (
        graph.keys() - set().union(*graph.values())
    ):
        graph = {name: imported for name, imported in graph.items() if name not in ends}
    assert sorted(graph) == []


def name_parsers(tree: ast.AST) -> list[str]:
    """Return the code that takes the name of a step apart, or composes one of its own."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="partition" | "rpartition" | "split" | "rsplit"),
                args=[ast.Constant(value=":"), *_],
            ):
                found.append(ast.unparse(node))
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if any(
                text.startswith(f"{kind}:") for kind in KINDS
            ):
                found.append(ast.unparse(node))
    return found


def test_only_one_module_parses_the_names_of_steps() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): parsers
        for room in ("graph", "doit_plugin", "report")
        for path in sorted((ROOT / "pipeline" / room).rglob("*.py"))
        if (parsers := name_parsers(ast.parse(path.read_text())))
    }
    assert found == {}


def test_a_parser_of_names_is_found() -> None:
    tree = ast.parse("kind = step.partition(':')[0]\nname = f'verify:{fixture}.{case}'\n")
    assert set(name_parsers(tree)) == {"step.partition(':')", "f'verify:{fixture}.{case}'"}


def test_one_module_names_the_report_of_a_case() -> None:
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "report.json"
    }
    assert naming == {"pipeline/verify/evidence.py"}


def test_the_contributing_guide_shows_these_levels() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    [arrow] = re.findall(r"^    (builtin, .*\n        → .*)$", text, re.M)
    shown = [tuple(each.strip().split(", ")) for each in arrow.split("→")]
    assert tuple(shown) == LEVELS
    figure = (ROOT / "docs/figures/rooms.svg").read_text()
    drawn = [tuple(each.split(", ")) for each in re.findall(r'class="b">([^<]*)<', figure)]
    assert tuple(reversed(drawn)) == LEVELS
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.M)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(LEVEL)
