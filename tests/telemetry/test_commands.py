"""No command contacts a host that no config declares, or writes what no page names."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.telemetry.isolated import Isolated, run_isolated
from tests.tiny import ROOT, Project

TENSOR = "--dims 1x3x8x8 --type f32 --layout NCHW --colour RGB --resize opencv-linear"
LICENSES = "--license MIT --image-license MIT"
# In this order: a command may need what one before it made. The configs declare files alone.
COMMANDS = [
    # Every step anew: fetch, convert, compile, infer natively, in the sandbox, by ONNX Runtime.
    "doit -a",
    "doit",
    "doit list --all",
    "doit status",
    "doit plan",
    "doit why verify:tiny.red",
    "doit lock",
    "doit report",
    "doit bundle tiny",
    "doit publish --to places --as 1.0 --sign key.pem tiny",
    "doit validate",
    "doit gc",
    "doit doctor",
    "wasi-nn convert tiny.onnx -o converted",
    "wasi-nn inspect tiny.onnx",
    "wasi-nn inspect artifacts/tiny/tiny.xml",
    "wasi-nn inspect artifacts/tiny/classify.wasm",
    f"wasi-nn tensor red.png . {TENSOR}",
    "wasi-nn preview red-1x3x8x8-f32.rgb preview.png",
    "wasi-nn run --dir artifacts/tiny::fixture artifacts/tiny/classify.wasm -- red",
    # The graph is compiled, though the guest does not ask for it.
    "wasi-nn run --backend onnx=onnxruntime --graph net=onnx::tiny.onnx"
    " --dir artifacts/tiny::fixture artifacts/tiny/classify.wasm -- red",
    f"wasi-nn new drafted tiny.onnx --image red.png {LICENSES} --yes",
    "wasi-nn validate artifacts/tiny",
    "wasi-nn fetch tiny@1.0 --from places",
    "wasi-nn conformance --host this --case load-infer",
    "wasi-nn conformance --host wasmtime --case load-infer",
    "wasi-nn completion bash",
]
# Those that import, start or write something that may report or be cached.
READ_ONLY = [
    command
    for command in COMMANDS
    if not re.match("doit( (list|status|plan|why|lock|report|bundle|gc)|$)", command)
]
PROGRAMS = {
    "doit": [sys.executable, "-m", "doit"],
    "wasi-nn": [sys.executable, "-m", "pipeline.cli.main"],
}


def run_all(built: Project, scratch: Path, commands: list[str], **options: Any) -> list[Isolated]:
    """Run commands in a copy of the built project; each must end well."""
    project = scratch / "project"
    shutil.copytree(built.root, project)
    write_key(project / "key.pem")
    words = [command.split() for command in commands]
    given = [[*PROGRAMS[program], *arguments] for program, *arguments in words]
    done = run_isolated(given, scratch, cwd=project, **options)
    assert [run.code for run in done] == [0] * len(commands), [
        (command, run.stdout, run.stderr)
        for command, run in zip(commands, done, strict=False)
        if run.code
    ]
    return done


def write_key(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def documented() -> list[str]:
    """Return the folders of the home that the page of files names."""
    page = (ROOT / "docs/files.md").read_text()
    return re.findall(r"^\| `~/([^`]+)` \|", page, re.M)


def test_no_command_contacts_anyone_or_writes_what_is_not_documented(
    built: Project, tmp_path: Path
) -> None:
    done = run_all(built, tmp_path, COMMANDS)
    assert {run.command[-1]: run.contacted for run in done if run.contacted} == {}
    written = {name for run in done for name in run.written}
    assert written
    assert [name for name in written if not name.startswith(tuple(documented()))] == []


@pytest.mark.slow
def test_in_a_home_that_is_read_only_nothing_is_amiss(built: Project, tmp_path: Path) -> None:
    env = {"WASI_NN_CACHE": str(tmp_path / "fetched")}
    done = run_all(built, tmp_path, READ_ONLY, read_only=True, env=env)
    for run in done:
        assert run.contacted == []
        assert not re.search("warn|read-only", run.stdout + run.stderr, re.I)


def test_fetch_says_what_to_set_in_such_a_home(built: Project, tmp_path: Path) -> None:
    fetch = [*PROGRAMS["wasi-nn"], "fetch", "tiny@1.0", "--from", "places"]
    published = [*PROGRAMS["doit"], "publish", "--to", "places", "--as", "1.0", "tiny"]
    project = tmp_path / "project"
    shutil.copytree(built.root, project)
    *_, done = run_isolated([published, fetch], tmp_path, cwd=project, read_only=True)
    assert done.code == 1
    assert "WASI_NN_CACHE" in done.stderr
