"""Each command does what docs/trust.md says and no more, among files that would betray it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline import builtin
from pipeline.cli.main import COMMANDS
from tests.source.site import Handler, serving
from tests.telemetry.test_commands import TENSOR
from tests.tiny import ROOT, Project

PAGE = ROOT / "docs/trust.md"
_PROGRAM = Path(__file__).with_name("audited_program.py")
NOBODY = "127.0.0.9"
# Modules and programs that a child, or Python itself, would find in a working folder.
MODULES = (
    *("pip/__main__", "pip/__init__", "ziglang", "doit", "uv", "numpy", "openvino", "json"),
    *("multiprocessing/__init__", "multiprocessing/spawn", "multiprocessing/resource_tracker"),
    *("sitecustomize", "usercustomize", "runpy", "ctypes/__init__", "pipeline/__init__", "dodo"),
)
PROGRAMS = ("python", "python3", "uv", "npm", "node", "zig", "wasmtime", "rustc", "cat")


@dataclass(frozen=True)
class Row:
    """What a command may do, by the words of the page."""

    runs: str
    writes: str
    sends: str


def rows() -> Mapping[str, Row]:
    """Return the table of the page by command."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if match := re.fullmatch(r"\| `(.+?)`.*? \| (.+) \| .+ \| (.+) \| (.+) \|", line):
            found[match[1]] = Row(match[2], match[3], match[4])
    return found


@pytest.fixture
def betrayed(built: Project, tmp_path: Path) -> Path:
    """A stranger's project, whose modules and programs leave a mark where they are run."""
    root = tmp_path / "project"
    shutil.copytree(built.root, root, symlinks=True)
    mark = tmp_path / "betrayed"
    for name in MODULES:
        path = root / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(mark)!r}, 'a').write({name!r} + ' ')\n")
    trap = f"#!/bin/sh\necho $0 >> {mark}\n"
    locks = builtin.FOLDER / "configs/toolchains"
    assert list(locks.glob("*.lock"))
    planted = [root / name for name in PROGRAMS]
    for lock in locks.glob("*.lock"):
        folder = root / "artifacts/.cache/toolchains" / f"{lock.stem}-{'0' * 12}"
        planted.append(folder / "bin/python")
    for path in planted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trap)
        path.chmod(0o755)
    return root


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it did: pairs of a kind and its words."""

    code: int
    output: str
    did: list[list[str]]


def run(root: Path, arguments: list[str], env: Mapping[str, str]) -> Done:
    """Run wasi-nn as its own script does, audited."""
    target = root.parent / "did"
    target.write_text("")
    done = subprocess.run(
        [sys.executable, "-I", "-B", _PROGRAM, str(ROOT), target, *arguments],
        cwd=root,
        env={**clean(root.parent), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    did = [json.loads(line) for line in target.read_text().splitlines()]
    return Done(done.returncode, done.stdout + done.stderr, did)


def clean(scratch: Path) -> dict[str, str]:
    for name in ("home", "temporary"):
        (scratch / name).mkdir(exist_ok=True)
    (scratch / "pip.conf").write_text(f"[global]\nindex-url = http://{NOBODY}:9/\n")
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(scratch / "home"),
        "WASI_NN_CACHE": str(scratch / "cache"),
        "TMPDIR": str(scratch / "temporary"),
        "PIP_CONFIG_FILE": str(scratch / "pip.conf"),
        "API_TOKEN": "a secret of the user",
        "UV_OFFLINE": "1",
    }


def programs(words: list[str]) -> set[str]:
    """Return what a command line runs, by the words of the page; fail where Python is not -I."""
    found = set()
    if Path(words[0]).name.startswith("python"):
        assert words[1] in ("-I", "-s") or words[1].startswith("-I"), words
        found.add("Python")
        # The wrapper that ends a process with its parent names the program after it.
        if "parent_death_program.py" in " ".join(words[:4]):
            return programs(words[5:])
        if words[1] == "-s":
            assert Path(words[2 if words[2] != "-B" else 3]).is_relative_to(ROOT), words
        return found
    name = Path(words[0]).name
    assert Path(words[0]).is_absolute(), words
    return {{"uv": "uv", "npm": "npm", "wasm-tools": "toolchains"}.get(name, "programs")}


def check(done: Done, row: Row, root: Path, output: list[str]) -> None:
    """Compare what a command did with its row."""
    scratch = root.parent
    assert not (scratch / "betrayed").exists(), (scratch / "betrayed").read_text()
    places = {
        "temporary": [scratch / "temporary"],
        "cache": [scratch / "cache", scratch / "home"],
        "configs": [root / "configs"],
        "artifacts": [root / "artifacts"],
        "output": [root / name for name in output],
    }
    words = re.findall(r"`(\w+)`", row.writes)
    allowed = [place for word in words for place in places[word]]
    allowed += [Path("/dev/null"), Path("/dev/shm"), Path("/proc/self/mem")]
    for kind, *told in done.did:
        if kind == "runs":
            assert programs(told) <= set(re.split(", ?", row.runs)), (told, row)
        elif kind == "writes":
            inside = any(Path(told[0]).is_relative_to(each) for each in allowed)
            assert inside or any(is_part(Path(told[0]), root / name) for name in output), told
        else:
            assert row.sends != "nothing", (told, row)
            assert told[0].startswith("127."), told


def is_part(path: Path, target: Path) -> bool:
    """Return whether a path is what becomes a file by its last rename."""
    beside = path.parent == target.parent and path.suffix == ".part"
    return beside and path.name.startswith(f".{target.name}.")


def test_the_table_has_every_command_once() -> None:
    found = rows()
    assert set(found) == {*(f"wasi-nn {name}" for name in COMMANDS), "doit"}
    assert len(re.findall(r"^\| `", PAGE.read_text(), re.M)) == len(found)
    # `doit` stands for all commands of the plug-in.
    assert any(
        each.group == "doit.COMMAND" for each in distribution("wasi-nn-pipeline").entry_points
    )


CASES = [
    ("init", "init fixtures", ["fixtures"]),
    ("convert", "convert tiny.onnx -o converted", ["converted"]),
    ("inspect", "inspect tiny.onnx", []),
    ("inspect", "inspect artifacts/tiny/tiny.xml", []),
    ("tensor", f"tensor red.png made {TENSOR}", ["made"]),
    ("preview", "preview artifacts/tiny/{tensor} preview.png", ["preview.png"]),
    ("run", "run --dir artifacts/tiny::fixture artifacts/tiny/classify.wasm -- red", []),
    ("validate", "validate artifacts/tiny", []),
    ("fetch", "fetch tiny@1.0 --from places -o fetched", ["fetched", ".fetched"]),
    # Without a package index its toolchain is missing.
    ("componentize", "componentize artifacts/tiny/classify.wasm -o made.wasm", ["made.wasm"]),
    ("doctor", "doctor", []),
    ("new", "new drafted tiny.onnx --image red.png --license MIT --image-license MIT --yes", []),
    ("conformance", "conformance --host this --case load-infer", []),
    ("completion", "completion bash", []),
]


@pytest.mark.parametrize(("name", "line", "output"), CASES, ids=[each[1] for each in CASES])
def test_a_command_does_what_the_table_says_and_nothing_of_the_folder_runs(
    betrayed: Path, name: str, line: str, output: list[str]
) -> None:
    if name == "fetch":
        project = Project(betrayed)
        (betrayed / "dodo.py").write_text((ROOT / "dodo.py").read_text())
        published = Project(betrayed.parent / "theirs")
        shutil.copytree(betrayed / "artifacts", published.root / "artifacts", symlinks=True)
        for part in ("configs", "guests", "tiny.onnx", "red.png", "blue.png", "dodo.py"):
            source = project.root / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, published.root / part)
        publishing = published.doit("publish", "--to", "places", "--as", "1.0", "tiny")
        assert publishing.returncode == 0, publishing.output
        (published.root / "places").rename(betrayed / "places")
    tensor = next(path.name for path in (betrayed / "artifacts/tiny").glob("*.rgb"))
    words = line.replace("{tensor}", tensor).split()
    done = run(betrayed, words, {})
    assert done.code == 0 or name in ("componentize", "doctor"), done.output
    check(done, rows()[f"wasi-nn {name}"], betrayed, output)
    assert list((betrayed.parent / "temporary").iterdir()) == []


def declare(root: Path, address: str) -> None:
    """Let the model of a project come from an address."""
    config = root / "configs/fixtures/tiny.toml"
    declared = f'urls = ["{address}"]\nsha256 = "{"0" * 64}"'
    config.write_text(config.read_text().replace('urls = ["file:tiny.onnx"]', declared, 1))


def test_the_doctor_sends_no_secret_that_is_not_paired_and_asks_the_users_pip(
    betrayed: Path,
) -> None:
    sent: list[str] = []

    def listen(handler: Handler) -> None:
        sent.append(str(handler.headers))
        handler.say(404, b"")

    with serving() as site:
        site.put(f"/ac/{'0' * 64}", listen)
        (betrayed / "configs/project.toml").write_text(
            f"[remote]\nurl = {site.address!r}\ntoken_env = 'API_TOKEN'\n"
        )
        declare(betrayed, "pypi:idna==3.10#idna/core.py")
        # An environment of uv has no pip to ask.
        index = {} if find_spec("pip") else {"PIP_INDEX_URL": f"http://{NOBODY}:9/"}
        done = run(betrayed, ["doctor"], index)
        check(done, rows()["wasi-nn doctor"], betrayed, [])
        assert ["sends", NOBODY] in [told[:2] for told in done.did], done.output
        assert sent
        assert "secret" not in "".join(sent)
        pair = {"WASI_NN_HOSTS": f"API_TOKEN={site.address}"}
        run(betrayed, ["doctor"], {**index, **pair})
        assert "Bearer a secret of the user" in sent[-1]


def test_an_npm_config_of_the_folder_is_not_read(betrayed: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    sent: list[str] = []

    def listen(handler: Handler) -> None:
        sent.append(str(handler.headers))
        handler.say(404, b"")

    with serving() as site:
        site.put("/left-pad", listen)
        text = f"registry={site.address}/\n//{site.address[7:]}/:_authToken=${{API_TOKEN}}\n"
        for folder in (betrayed, betrayed / "artifacts/.cache/downloads"):
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text("{}")
            (folder / ".npmrc").write_text(text)
        declare(betrayed, "npm:left-pad@1.3.0#index.js")
        clean(betrayed.parent)
        refusing = f"registry=http://{NOBODY}:9/\nfetch-retries=0\n"
        (betrayed.parent / "home/.npmrc").write_text(refusing)
        done = run(betrayed, ["doctor"], {})
        assert any("npm" in told for _, *words in done.did for told in words), done.output
        assert sent == []
