"""`wasi-nn run`: a guest in the embedded host."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import Code, PipelineError
from pipeline.work.limits import byte_count

if TYPE_CHECKING:
    from pipeline.host.host import Preopen

_EXAMPLE = """\
example, after doit:
  wasi-nn run --dir artifacts/squeezenet::fixture artifacts/squeezenet/classify.wasm -- cat

The guest sees no environment, no network, and only the folders that it is given, to read. Its exit
code is that of the command; 1 is also that of an error of the host, which is told on stderr.
"""
# An inference that hangs cannot be interrupted from inside: after this long the process ends.
_GRACE_SECONDS = 5.0


def add_parser(subparsers: Any) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "run",
        help="run a guest in the embedded wasi-nn host",
        description="Run a WASI command whose wasi-nn calls are answered by OpenVINO.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("guest", type=Path, metavar="GUEST.wasm", help="a core module built for wasm32-wasi")
    add("args", nargs="*", metavar="ARG", help="arguments for the guest, after --")
    add(
        "--dir",
        action="append",
        default=[],
        metavar="HOST[::GUEST[::rw]]",
        help="give the guest a folder, as Wasmtime spells it; ::rw lets it write there",
    )
    add(
        "--mapdir",
        action="append",
        default=[],
        metavar="GUEST::HOST",
        help="the same, as Wasmtime spelled it before version 14",
    )
    add(
        "--graph",
        action="append",
        default=[],
        metavar="[NAME=][ENCODING::]FOLDER",
        help="offer the model of a folder to load_by_name, under the folder's name or NAME",
    )
    add(
        "--tensor-type-abi",
        type=int,
        choices=(2022, 2023),
        default=2023,
        help="the numbers of tensor types; guests built before August 2023 use 2022",
    )
    add("--seconds", type=_seconds, default=60.0, metavar="N", help="time limit (default: 60)")
    add(
        "--memory",
        type=_memory,
        default=2**30,
        metavar="SIZE",
        help="limit of the guest's memory, such as '512 MiB' (default: '1 GiB')",
    )
    add("--fuel", type=int, metavar="N", help="limit of the guest's instructions")
    add("--trace", action="store_true", help="print each wasi-nn call with its time on stderr")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Run the guest and return its exit code; raises PipelineError."""
    from pipeline.host.graphs import parse_named_graph
    from pipeline.host.host import Host

    dirs = [_dir(text) for text in arguments.dir]
    dirs += [_mapdir(text) for text in arguments.mapdir]
    graphs = [parse_named_graph(text) for text in arguments.graph]
    watchdog = threading.Timer(
        arguments.seconds + _GRACE_SECONDS, _end_process, [arguments.seconds]
    )
    watchdog.daemon = True
    watchdog.start()
    try:
        with Host(graphs, tensor_type_abi=arguments.tensor_type_abi) as host:
            outcome = host.run(
                arguments.guest,
                args=arguments.args,
                dirs=dirs,
                seconds=arguments.seconds,
                memory=arguments.memory,
                fuel=arguments.fuel,
                say=_say,
                trace=_say if arguments.trace else None,
            )
    finally:
        watchdog.cancel()
    return outcome.exit_code


def _say(message: str) -> None:
    print(f"wasi-nn: {message}", file=sys.stderr, flush=True)


def _dir(text: str) -> Preopen:
    from pipeline.host.host import Preopen

    host, *rest = text.split("::")
    if not host or len(rest) > 2 or (len(rest) == 2 and rest[1] != "rw"):
        raise _usage("--dir", text, "HOST, HOST::GUEST or HOST::GUEST::rw")
    return Preopen(Path(host), rest[0] if rest else host, writable=len(rest) == 2)


def _mapdir(text: str) -> Preopen:
    from pipeline.host.host import Preopen

    guest, separator, host = text.partition("::")
    if not separator or not guest or not host:
        raise _usage("--mapdir", text, "GUEST::HOST")
    return Preopen(Path(host), guest)


def _usage(option: str, found: str, expected: str) -> PipelineError:
    message = f"{option} cannot be read."
    return PipelineError(Code.USAGE, message, expected=expected, found=found)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise ValueError
    return seconds


def _memory(text: str) -> int:
    count = byte_count(text)
    if not 0 < count <= 2**32:
        raise ValueError
    return count


def _end_process(seconds: float) -> None:
    _say(f"an inference still ran {_GRACE_SECONDS:g} s after the limit of {seconds:g} s; ended")
    os._exit(1)
