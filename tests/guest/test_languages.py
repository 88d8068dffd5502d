"""Guests in every language: the same bytes everywhere, and what classify does on a fixture."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import wasmtime

from pipeline.config.load_project import load_project
from pipeline.config.schema import LanguageName
from pipeline.errors import Code, PipelineError
from pipeline.guest.languages import LANGUAGES
from tests.guest.compiling import Built, compile_files, compile_named, guest_names, require_compiler
from tests.guest.running import GOOD, SCORES
from tests.guest.scripted_host import Ended, ScriptedHost, Tensor
from tests.tiny import BUILTIN, ROOT

Compiled = Callable[[str], Built]

# Its compiler comes from a registry.
FETCHED = "classify-assemblyscript"
ALL = [
    pytest.param(name, marks=pytest.mark.network if name == FETCHED else ())
    for name in guest_names()
]
SMALL = [each for each in ALL if str(each.values[0]).startswith("classify-")]
TWO_CASES = GOOD + "case dog\ninput 0 dog.raw f32 2x1\noutput 0 dog.out f32 3\n"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Compiled:
    """Compiles a guest once for the session."""
    folder = tmp_path_factory.mktemp("guests")
    made: dict[str, Built] = {}

    def compile_once(name: str) -> Built:
        if name not in made:
            shutil.rmtree(folder / name, ignore_errors=True)
            made[name] = compile_named(name, folder / name, toolchains)
        return made[name]

    return compile_once


def run(built: Built, host: ScriptedHost, folder: Path, *args: str, text: str = GOOD) -> Ended:
    (folder / "fixture/fixture.txt").write_text(text)
    (folder / "fixture/dog.raw").write_bytes(struct.pack("<2f", 3, 4))
    engine = wasmtime.Engine()
    return host.run(wasmtime.Module(engine, built.wasm.read_bytes()), engine, folder, *args)


def test_every_language_of_the_schema_is_there_and_has_a_guest() -> None:
    assert set(LANGUAGES) == set(get_args(LanguageName))
    guests = load_project(ROOT).guests.values()
    # Guests in `wasm` are built already.
    assert {guest.language for guest in guests} == set(LANGUAGES) - {"wasm"}


@pytest.mark.parametrize("name", ALL)
def test_a_guest_has_the_same_bytes_from_another_folder(
    name: str, compiled: Compiled, tmp_path: Path, toolchains: Path
) -> None:
    other = tmp_path / "ein anderer" / "Ort"
    for part in ("configs", "guests", "pipeline/builtin"):
        shutil.copytree(ROOT / part, other / part)
    shutil.copytree(BUILTIN, other, dirs_exist_ok=True)
    data = compiled(name).wasm.read_bytes()
    twin = compile_named(name, tmp_path / "twin", toolchains, root=other)
    assert twin.wasm.read_bytes() == data
    for place in (str(other), str(ROOT), str(tmp_path), str(Path.home()), f"guests/{name}"):
        assert place.encode() not in data


@pytest.mark.parametrize("name", ALL)
def test_a_guest_imports_wasi_nn_and_wasi_alone(name: str, compiled: Compiled) -> None:
    imports = compiled(name).imports
    assert {each.partition(".")[0] for each in imports} == {
        "wasi_ephemeral_nn",
        "wasi_snapshot_preview1",
    }
    functions = {"load", "init_execution_context", "set_input", "compute", "get_output"}
    assert {f"wasi_ephemeral_nn.{each}" for each in functions} <= set(imports)


@pytest.mark.parametrize("name", SMALL)
def test_it_hands_over_what_the_files_hold_and_writes_what_it_gets(
    name: str, compiled: Compiled, folder: Path
) -> None:
    host = ScriptedHost(outputs=[SCORES])
    ended = run(compiled(name), host, folder)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert host.builders == [b"<net/>", b"weights"]
    assert host.encoding == 0
    assert host.inputs == [Tensor(0, (1, 2), 1, struct.pack("<2f", 1, 2))]
    assert host.calls == ["load", "init_execution_context", "set_input", "compute", "get_output"]
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == {
        "cat.prob.raw": SCORES
    }
    lines = ended.stdout.splitlines()
    assert lines[0] == "cat output 0 f32 1x3"
    assert lines[1].split()[0] == "1"


@pytest.mark.parametrize("name", SMALL)
def test_it_infers_the_named_cases_of_a_named_graph(
    name: str, compiled: Compiled, folder: Path
) -> None:
    host = ScriptedHost(outputs=[SCORES])
    (folder / "fixture/m.bin").unlink()
    ended = run(compiled(name), host, folder, "--graph", "a net", "dog", text=TWO_CASES)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert host.name == "a net"
    assert host.inputs == [Tensor(0, (2, 1), 1, struct.pack("<2f", 3, 4))]
    assert [path.name for path in (folder / "out").iterdir()] == ["dog.out"]


@pytest.mark.parametrize("name", SMALL)
def test_all_cases_share_one_graph(name: str, compiled: Compiled, folder: Path) -> None:
    host = ScriptedHost(outputs=[SCORES])
    assert run(compiled(name), host, folder, text=TWO_CASES).exit_code == 0
    assert (host.calls.count("load"), host.calls.count("compute")) == (1, 2)
    assert {path.name for path in (folder / "out").iterdir()} == {"cat.prob.raw", "dog.out"}


@pytest.mark.parametrize("name", SMALL)
def test_several_inputs_and_outputs_of_each_type(
    name: str, compiled: Compiled, folder: Path
) -> None:
    types = {"f16": 2, "f32": 4, "f64": 8, "u8": 1, "i32": 4, "i64": 8}
    lines = ["# all types", "encoding onnx", "file m.xml", "", "case c"]
    for index, (kind, size) in enumerate(types.items()):
        (folder / "fixture" / f"{kind}.in").write_bytes(bytes(range(3 * size)))
        lines.append(f"input {index} {kind}.in {kind} 3x1")
    lines += [f"output {index} {kind}.out {kind} 2" for index, kind in enumerate(types)]
    outputs = [bytes(range(2 * size)) for size in types.values()]
    host = ScriptedHost(outputs=outputs)
    ended = run(compiled(name), host, folder, text="\r\n".join(lines))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert host.encoding == 1
    assert host.inputs == [
        Tensor(index, (3, 1), index, bytes(range(3 * size)))
        for index, size in enumerate(types.values())
    ]
    assert host.calls.count("compute") == 1
    for kind, data in zip(types, outputs, strict=True):
        assert (folder / "out" / f"{kind}.out").read_bytes() == data


@pytest.mark.parametrize("name", SMALL)
def test_tensors_without_elements_and_a_file_without_bytes_are_passed(
    name: str, compiled: Compiled, folder: Path
) -> None:
    for file in ("m.bin", "cat.raw"):
        (folder / "fixture" / file).write_bytes(b"")
    host = ScriptedHost(outputs=[b""])
    text = GOOD.replace("1x2", "1x0x2").replace("1x3", "0x3")
    ended = run(compiled(name), host, folder, text=text)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert host.builders == [b"<net/>", b""]
    assert host.inputs == [Tensor(0, (1, 0, 2), 1, b"")]
    assert ended.stdout == "cat output 0 f32 0x3\n"
    assert (folder / "out/cat.prob.raw").read_bytes() == b""


@pytest.mark.parametrize("name", SMALL)
def test_without_out_it_only_prints(name: str, compiled: Compiled, folder: Path) -> None:
    (folder / "out").rmdir()
    ended = run(compiled(name), ScriptedHost(outputs=[SCORES]), folder)
    assert ended.exit_code == 0
    assert ended.stdout.startswith("cat output 0 f32 1x3\n")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("function", ["load", "set_input", "compute", "get_output"])
def test_a_refused_call_ends_it_with_the_errno(
    name: str, function: str, compiled: Compiled, folder: Path
) -> None:
    host = ScriptedHost(outputs=[SCORES], errnos={function: 5})
    ended = run(compiled(name), host, folder)
    assert ended.exit_code == 1
    assert function in ended.stderr
    assert "5" in ended.stderr
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("args", "text", "told"),
    [
        (("cat", "fox"), TWO_CASES, "fox"),
        ((), GOOD.replace("cat.raw", "car.raw"), "car.raw"),
        ((), GOOD.replace("input 0", "input O"), ""),
        ((), GOOD.replace("1x2", "1x4294967295x2"), ""),
        ((), GOOD.replace("output 0 cat.prob.raw f32", "output 0 cat.prob.raw f8"), "f8"),
        ((), GOOD + "what is this\n", "what"),
    ],
)
def test_what_it_does_not_understand_is_an_error(
    name: str, args: tuple[str, ...], text: str, told: str, compiled: Compiled, folder: Path
) -> None:
    ended = run(compiled(name), ScriptedHost(outputs=[SCORES]), folder, *args, text=text)
    assert ended.exit_code == 1
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("name", SMALL)
def test_a_file_larger_than_one_host_call_may_move_is_read_whole(
    name: str, compiled: Compiled, folder: Path
) -> None:
    size = 140 * 2**20
    with (folder / "fixture/m.bin").open("wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    host = ScriptedHost(outputs=[SCORES])
    ended = run(compiled(name), host, folder)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert len(host.builders[1]) == size
    assert host.builders[1].endswith(b"\0end")


BROKEN: dict[LanguageName, tuple[str, str, str]] = {
    "assemblyscript": ("my main.ts", "let x = 1;\nnix();\n", ":2:1"),
    "c++": ("my main.cpp", "int main()\n{\n    return nix;\n}\n", ":3:12"),
    "rust": ("my main.rs", "fn main() {\n    nix();\n}\n", ":2:5"),
    "wat": ("my main.wat", "(module\n  (func (call $nix)))\n", ":2:15"),
    "zig": ("my main.zig", "export fn _start() void {\n    nix();\n}\n", ":2:5"),
}


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(each, marks=pytest.mark.network if each == "assemblyscript" else ())
        for each in BROKEN
    ],
)
def test_an_error_is_told_at_its_line_of_the_users_file(
    language: LanguageName, tmp_path: Path, toolchains: Path
) -> None:
    require_compiler(language)
    name, text, place = BROKEN[language]
    (tmp_path / name).write_text(text)
    with pytest.raises(PipelineError) as caught:
        compile_files(
            [tmp_path / name], (), into=tmp_path / "b", toolchains=toolchains, language=language
        )
    assert caught.value.code is Code.GUEST_BUILD
    assert caught.value.where == f"{tmp_path / name}{place}"
    assert "nix" in caught.value.found
    assert "scratch" not in caught.value.where
    assert caught.value.detail


def test_without_a_rust_for_wasi_it_says_what_to_install(
    tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused_program(tmp_path, toolchains, "rust")
    assert error.code is Code.TOOLCHAIN
    assert "rustup target add wasm32-wasip1" in error.hint
    assert "apt-get install rustc libstd-rust-dev-wasm32 lld-14" in error.hint


def test_without_node_it_says_what_to_install(
    tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused_program(tmp_path, toolchains, "assemblyscript")
    assert error.code is Code.TOOLCHAIN
    assert "Node.js" in error.message
    assert "apt-get install nodejs npm" in error.hint


def test_node_without_npm_cannot_fetch_the_compiler_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "node"
    node.write_text("")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    # Where nothing was downloaded before.
    error = refused_program(tmp_path, tmp_path / "toolchains", "assemblyscript")
    assert error.code is Code.TOOLCHAIN
    assert error.message.startswith("npm")
    assert "apt-get install nodejs npm" in error.hint


def test_a_rust_of_rustup_without_the_target_is_passed_over(
    tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rustc = tmp_path / "toolchains/stable-x/bin/rustc"
    rustc.parent.mkdir(parents=True)
    rustc.write_text("")
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(rustc.parent))
    assert LANGUAGES["rust"].compiler() == {}
    library = rustc.parents[1] / "lib/rustlib/wasm32-wasip1/lib/libstd-0123.rlib"
    library.parent.mkdir(parents=True)
    library.write_text("")
    assert LANGUAGES["rust"].compiler() == {"std": library}
    # Its linker is missing still.
    error = refused_program(tmp_path, toolchains, "rust")
    assert (error.code, error.expected) == (Code.TOOLCHAIN, "rust-lld")


def refused_program(tmp_path: Path, toolchains: Path, language: LanguageName) -> PipelineError:
    (tmp_path / "main").write_text("fn main() {}\n")
    with pytest.raises(PipelineError) as caught:
        compile_files(
            [tmp_path / "main"], (), into=tmp_path / "b", toolchains=toolchains, language=language
        )
    return caught.value
