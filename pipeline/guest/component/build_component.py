"""The step ``component``: compile a guest for wasi-nn's interfaces and make it a component."""

from __future__ import annotations

import json

from pipeline.execution.action import Job
from pipeline.guest.build import compile_core
from pipeline.guest.component.component_imports import audit_component
from pipeline.guest.component.preview1 import PREVIEW1, fetch_preview1
from pipeline.guest.component.wasm_tools import WasmTools
from pipeline.toolchain.environment import program_of, python_for


def compile_component(job: Job) -> None:
    """Recipe: compile a guest as a component and audit its imports.

    Inputs, parameters and unkeyed inputs are those of the step ``guest``, with the sources that the
    component has in addition, and ``wasm-tools.stamp``. Outputs: ``wasm``, and ``imports`` as a
    JSON list of interfaces. Raises the errors of ``compile_guest``.
    """
    name = job.outputs["wasm"].name
    core, typed = job.scratch / "core.wasm", job.scratch / "typed.wasm"
    component, preview1 = job.scratch / "component.wasm", job.scratch / f"{PREVIEW1}.wasm"
    core.write_bytes(compile_core(job))
    fetch_preview1(job, preview1)
    job.progress("making the component")
    program = program_of(python_for(job, "wasm-tools").parents[1], "wasm-tools")
    tools = WasmTools(program, name, job.scratch, float(str(job.parameters["seconds"])))
    tools.embed(core, typed)
    tools.new(typed, {PREVIEW1: preview1}, component)
    data = component.read_bytes()
    imports = audit_component(data, name)
    job.outputs["wasm"].write_bytes(data)
    job.outputs["imports"].write_text(json.dumps(imports) + "\n")
