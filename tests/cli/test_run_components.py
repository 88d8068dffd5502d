"""What `wasi-nn run` says of a component's calls: as short and clean as of a module's."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pipeline.conformance.models.ir import add
from tests.cli.test_run import wasi_nn
from tests.host.component_script import ComponentScript

HOSTILE = "\x1b[2J\nerror: \u202e"


@pytest.fixture(params=["general", "core"], name="general")
def way(request: pytest.FixtureRequest) -> bool:
    """Whether Wasmtime runs the component as one, or the host its first module."""
    return bool(request.param == "general")


@pytest.mark.parametrize("trace", [False, True], ids=["messages", "trace"])
def test_names_of_a_model_are_cleaned_and_cut(tmp_path: Path, general: bool, trace: bool) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    name = b"&#27;[2J&#10;error: \xe2\x80\xae" + b"x" * 20_000
    xml, weights = add().parts
    (folder / "net.xml").write_bytes(xml.replace(b'"x"', b'"' + name + b'"'))
    (folder / "net.bin").write_bytes(weights)
    script = ComponentScript(silent=True)
    context = script.context(script.load("net"))
    # Computed once, since the trace has the names of outputs; then without the input's name.
    data = struct.pack("<4f", 1, 2, 3, 4)
    script.compute(context, ("0", script.tensor([1, 4], data)))
    once = ComponentScript(free=script.free)
    result = once.compute(context, ("7", once.tensor([1, 4], data)))
    once.call("drop.error", result + 4)
    script.segments += once.segments
    script.free = once.free
    script.loop(3000, once)
    wasm = script.write(tmp_path, general=general)
    done = wasi_nn(*["--trace"] * trace, "--graph", "net", wasm, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no input 7; the graph has 1: \\x1b[2J" in done.stderr
    check(done.stderr)
    assert "too many messages" in done.stderr.splitlines()[-1]


def test_names_of_the_component_are_cleaned_and_cut(tmp_path: Path, general: bool) -> None:
    script = ComponentScript(silent=True)
    name = (HOSTILE + "x" * 47).encode()
    once = ComponentScript(free=script.free)
    result = once.call("load-by-name", once.put(name), len(name))
    once.call("drop.error", result + 4)
    script.segments, script.free = once.segments, once.free
    script.loop(12_000, once)
    done = wasi_nn(script.write(tmp_path, general=general), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no graph named '\\x1b[2J" in done.stderr
    check(done.stderr)
    assert "too many messages" in done.stderr.splitlines()[-1]


def test_names_of_its_functions_are_cleaned_in_a_backtrace(tmp_path: Path, general: bool) -> None:
    named = '$"\\1b[2J\\e2\\80\\ae"'
    script = ComponentScript(
        functions=f"(func {named} (unreachable))", body=[f"(call {named})"], silent=True
    )
    done = wasi_nn(script.write(tmp_path, general=general), cwd=tmp_path)
    assert done.returncode not in (0, None)
    assert "unreachable" in done.stderr
    assert "\\x1b[2J" in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stderr)


def check(told: str) -> None:
    """Check that what is told begins each line, has no control characters, and is limited."""
    assert not {"\x1b", "\u202e"} & set(told)
    assert all(line.startswith("wasi-nn: ") for line in told.splitlines())
    assert max(map(len, told.splitlines())) < 10_000
    assert len(told) < 8 << 20
