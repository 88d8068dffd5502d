"""What a guest needs and was built for is read from its wasm alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import wasmtime

from pipeline.cli.main import main
from pipeline.errors import Code, PipelineError
from pipeline.guest.inspect_guest import inspect_guest

FUNCTION = "(func (param i32 i32) (result i32))"


def written(folder: Path, text: str) -> Path:
    path = folder / "guest.wasm"
    path.write_bytes(wasmtime.wat2wasm(text))
    return path


def core(folder: Path, *names: str) -> Path:
    imports = " ".join(f'(import "wasi_ephemeral_nn" "{name}" {FUNCTION})' for name in names)
    return written(folder, f'(module {imports} (memory (export "memory") 2 4))')


def test_imports_exports_and_memory_are_shown(tmp_path: Path) -> None:
    found = inspect_guest(core(tmp_path, "load", "compute"))
    assert found["imports"] == [
        "wasi_ephemeral_nn.compute: (i32 i32) -> (i32)",
        "wasi_ephemeral_nn.load: (i32 i32) -> (i32)",
    ]
    assert found["exports"] == ["memory: memory"]
    assert found["memory"] == ["131072 bytes initially, at most 262144"]


def test_a_memory_without_a_limit_says_so(tmp_path: Path) -> None:
    found = inspect_guest(written(tmp_path, "(module (memory 1))"))
    assert found["memory"] == []
    found = inspect_guest(written(tmp_path, '(module (import "env" "memory" (memory 1)))'))
    assert found["memory"] == ["65536 bytes initially, no declared maximum"]


@pytest.mark.parametrize(
    ("names", "generation"),
    [
        ([], "none: no imports of wasi-nn"),
        (["load", "compute"], "core ABI, graphs by bytes"),
        (["load_by_name"], "core ABI, graphs by name"),
        (["load", "load_by_name"], "core ABI, graphs by bytes and by name"),
        (
            ["load", "unload", "fini_single"],
            "core ABI, graphs by bytes, with extensions fini_single, unload",
        ),
    ],
)
def test_the_generation_follows_from_the_imports(
    tmp_path: Path, names: list[str], generation: str
) -> None:
    assert inspect_guest(core(tmp_path, *names))["wasi-nn"] == generation


def test_only_a_guest_with_inputs_leaves_the_numbering_open(tmp_path: Path) -> None:
    assert "tensor types" in inspect_guest(core(tmp_path, "set_input"))
    assert "tensor types" not in inspect_guest(core(tmp_path, "load"))


def test_a_function_of_another_module_is_not_wasi_nn(tmp_path: Path) -> None:
    path = written(tmp_path, f'(module (import "env" "set_input" {FUNCTION}))')
    found = inspect_guest(path)
    assert found["wasi-nn"] == "none: no imports of wasi-nn"
    assert "tensor types" not in found


def test_a_component_names_the_version_of_its_interfaces(tmp_path: Path) -> None:
    name = "wasi:nn/tensor@0.2.0-rc-2024-10-28"
    found = inspect_guest(written(tmp_path, f'(component (import "{name}" (instance)))'))
    assert found["format"] == "WebAssembly component"
    assert found["wasi-nn"] == "WIT, wasi:nn 0.2.0-rc-2024-10-28"
    assert found["imports"] == [name]


@pytest.mark.parametrize(
    "data",
    [b"", b"(module)", b"\0asm", b"\0asm\1\0\0\0\xff", b"\0asm\x0d\0\1\0\xff"],
)
def test_what_is_no_wasm_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "guest.wasm"
    path.write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        inspect_guest(path)
    assert caught.value.code is Code.GUEST_BUILD
    assert caught.value.where == str(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "guest.wasm"
    path.touch()
    os.truncate(path, (256 << 20) + 1)
    with pytest.raises(PipelineError, match="too large"):
        inspect_guest(path)


def test_the_command_knows_a_guest_by_its_suffix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "--json", str(core(tmp_path, "load"))]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "WebAssembly module"
