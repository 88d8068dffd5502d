"""`wasi-nn componentize`: make a component of a core wasi-nn guest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.verbosity import add_verbosity, show_progress
from pipeline.errors import Code, PipelineError

_SECONDS = 120.0
_EPILOG = """\
example:
  wasi-nn componentize guest.wasm -o guest.component.wasm
  wasmtime run -S nn --dir fixture guest.component.wasm

  The guest imports wasi_ephemeral_nn and WASI preview 1; the component imports
  wasi:nn@0.2.0-rc-2024-10-28 and WASI 0.2. An input is passed by its index as a name, outputs
  are taken in the host's order.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "componentize",
        help="make a component of a core wasi-nn guest",
        description="Makes a component of a core wasi-nn guest, with the same bytes on every "
        "machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("guest", type=Path, help="core module")
    parser.add_argument("-o", "--output", required=True, type=Path, help="component to write")
    parser.add_argument(
        "--memory",
        type=_memory,
        default="512MiB",
        metavar="SIZE",
        help="the most memory that the guest can have, in KiB, MiB or GiB (default: 512MiB)",
    )
    add_verbosity(parser, "show errors only")
    parser.set_defaults(execute=execute)


def _memory(text: str) -> int:
    from pipeline.execution.byte_count import byte_count

    try:
        size = byte_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    # Adapters add pages, and the memory ends at 4 GiB.
    if size >= 4 << 30:
        raise argparse.ArgumentTypeError(f"{text!r} is not below 4 GiB")
    return size


def execute(args: argparse.Namespace) -> int:
    """Write the component; raises PipelineError."""
    from pipeline.cache.atomic import write_bytes
    from pipeline.execution.action import Job
    from pipeline.guest.component.componentize import componentize
    from pipeline.guest.component.preview1 import fetch_preview1
    from pipeline.guest.component.wasm_tools import WasmTools
    from pipeline.scratch import scratch_folder
    from pipeline.toolchain.environment import ensure_environment, program_of
    from pipeline.toolchain.toolchain_python import locked_environment

    if not args.guest.is_file():
        raise PipelineError(Code.USAGE, "No such file.", where=str(args.guest))
    with (
        scratch_folder() as scratch,
        show_progress(args, args.guest.name) as progress,
    ):
        environment = locked_environment("wasm-tools")
        ensure_environment(environment, scratch, progress)
        downloads = {
            "downloads": environment.folder.parents[1] / "downloads",
            "offline": environment.offline,
            "root": Path.cwd(),
            "npm.environment": locked_environment("npm"),
        }
        job = Job(
            inputs={},
            outputs={},
            parameters={},
            scratch=scratch,
            unkeyed=downloads,
            progress=progress,
        )
        preview1 = scratch / "preview1.wasm"
        fetch_preview1(job, preview1)
        program = program_of(environment.folder, "wasm-tools")
        tools = WasmTools(program, str(args.guest), scratch, _SECONDS)
        component = componentize(args.guest, preview1, tools, args.memory)
    try:
        write_bytes(args.output, component)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "Cannot write the component.",
            where=str(args.output),
            found=error.strerror or str(error),
        ) from None
    return 0
