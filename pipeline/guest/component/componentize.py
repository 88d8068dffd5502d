"""Make a component of a core module that imports wasi_ephemeral_nn, by an adapter of our own."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.component.component_imports import audit_component
from pipeline.guest.component.guest_memory import (
    IMPORTED_SIZE,
    OWN_SIZE,
    PAGE,
    reserve_memory,
)
from pipeline.guest.component.preview1 import PREVIEW1
from pipeline.guest.component.wasm_tools import WasmTools
from pipeline.guest.imports import audit
from pipeline.host.abi.enums import MODULE as WASI_NN

ADAPTER = Path(__file__).with_name("adapter.wat")
_MOST_BYTES = 256 << 20
_COMPONENT = b"\0asm\x0d\0\x01\0"


def componentize(guest: Path, preview1: Path, tools: WasmTools, memory: int) -> bytes:
    """Return the component of a core wasi-nn guest; ``preview1`` is the adapter of WASI.

    ``memory`` is the most that the guest can have, in bytes.

    Raises PipelineError: GUEST_IMPORTS for imports other than wasi-nn and WASI preview 1,
    GUEST_BUILD if the guest is not a command, is a component already or has too little memory,
    TOOLCHAIN and TIME_LIMIT.
    """
    if guest.stat().st_size > _MOST_BYTES:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The file is too large for a guest.",
            where=tools.name,
            expected=f"at most {_MOST_BYTES} bytes",
            found=f"{guest.stat().st_size} bytes",
        )
    wasm = guest.read_bytes()
    if wasm.startswith(_COMPONENT):
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is a component already.",
            where=tools.name,
            expected="a core module",
        )
    audit(wasm, (WASI_NN, PREVIEW1), tools.name)
    core, adapter = tools.scratch / "core.wasm", tools.scratch / "adapter.wasm"
    core_text, adapter_text = core.with_suffix(".wat"), adapter.with_suffix(".wat")
    component = tools.scratch / "component.wasm"
    # What was checked is what is used, even if the file has changed.
    core.write_bytes(wasm)
    tools.print(core, core_text)
    text = core_text.read_text("utf-8")
    core_text.write_text(reserve_memory(text, memory // PAGE, tools.name), "utf-8")
    tools.parse(core_text, core)
    adapter_text.write_text(_adapter(), "utf-8")
    tools.embed(adapter_text, adapter)
    tools.new(core, {WASI_NN: adapter, PREVIEW1: preview1}, component)
    made = component.read_bytes()
    audit_component(made, tools.name)
    return made


def _adapter() -> str:
    """Return the adapter's text with the guest's own size of its memory, an import."""
    text = ADAPTER.read_text("utf-8").replace(OWN_SIZE, "")
    return text.replace('  (import "env" "memory"', f'  {IMPORTED_SIZE}\n  (import "env" "memory"')
