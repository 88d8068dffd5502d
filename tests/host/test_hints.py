"""What a guest of another host is told: whose imports it has, and whose numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.host.host import Host
from tests.host.conftest import Ir
from tests.host.script import Script, write_guest

FUNCTION = "(func (param i32) (result i32))"


@pytest.mark.parametrize(
    ("imports", "hint"),
    [
        (f'(import "wasi_nn" "load" {FUNCTION})', "WAMR's own module"),
        (f'(import "bench" "start" {FUNCTION})', "Sightglass"),
        (
            f'(import "env" "memory" (memory 1 2 shared))(import "wasi" "thread-spawn" {FUNCTION})',
            "wasi-threads",
        ),
        (f'(import "wasi_snapshot_preview1" "sock_open" {FUNCTION})', "WasmEdge's sockets"),
        (f'(import "wasi_unstable" "fd_read" {FUNCTION})', "preview 0"),
        (f'(import "env" "abort" {FUNCTION})', "wasm32-wasi (preview 1)"),
    ],
)
def test_an_unknown_import_is_told_what_it_belongs_to(
    tmp_path: Path, imports: str, hint: str
) -> None:
    memory = '(export "memory" (memory 0))'
    own = "" if "shared" in imports else "(memory 1)"
    wasm = write_guest(tmp_path, f'(module {imports} {own} {memory} (func (export "_start")))')
    with Host() as host, pytest.raises(PipelineError) as caught:
        host.run(wasm)
    assert caught.value.message == "The guest has unknown imports."
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("numbers", "given", "other"), [("wasmedge", 6, "wit"), ("wit", 5, "wasmedge")]
)
def test_an_encoding_of_the_other_numbers_names_them(
    models: dict[str, Ir], tmp_path: Path, numbers: str, given: int, other: str
) -> None:
    script = Script()
    parts = script.builders(models["add"].xml, models["add"].bin)
    script.call("load", parts, 2, given, 0, script.room())
    ran = script.run(tmp_path, encoding_numbers=numbers)
    assert ran.errnos == [2]
    assert f"`encoding_numbers` {other}" in ran.messages
