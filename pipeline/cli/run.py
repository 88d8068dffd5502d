"""`wasi-nn run`: run a wasi-nn guest in the sandbox."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.errors import Code, PipelineError
from pipeline.work.limits import byte_count

if TYPE_CHECKING:
    from pipeline.host.host import Outcome, Preopen

_GRACE_SECONDS = 2.0
_GLANCE_SECONDS = 0.2
# macOS gives a thread 512 KiB, which is less than what wasm may use.
_STACK = 16 << 20
_MOST_EXIT_CODE = 255
_INTERRUPTED = 130

_EPILOG = """\
example:
  wasi-nn run --dir artifacts/squeezenet::fixture artifacts/squeezenet/classify.wasm -- cat

  runs the guest classify.wasm with the argument `cat`. The guest sees the folder
  artifacts/squeezenet under the name fixture, and nothing else of this machine.

  wasi-nn run --graph openvino::models/mobilenet --trace guest.wasm

  lets the guest load models/mobilenet/model.xml and model.bin by the name mobilenet,
  and shows each of its calls.

exit code:
  the guest's own (255 for any above), 1 for an error, which is told on stderr, or 2 for a
  command line that cannot be read.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "run",
        help="run a wasi-nn guest in the sandbox",
        description=(
            "Runs a WebAssembly guest (a WASI preview 1 command) whose wasi-nn is served by "
            "OpenVINO, or by what --backend chooses. The guest reaches no file but what --dir and "
            "--graph give it, and no environment variable."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dir",
        dest="dirs",
        action="append",
        default=[],
        type=_host_first,
        metavar="HOST[::GUEST[::rw]]",
        help="a folder that the guest may read, under the name GUEST (else HOST as written); "
        "with ::rw it may also write there",
    )
    parser.add_argument(
        "--mapdir",
        dest="dirs",
        action="append",
        type=_guest_first,
        metavar="GUEST::HOST[::rw]",
        help="the same with the names the other way round, as Wasmtime had it once",
    )
    parser.add_argument(
        "--graph",
        dest="graphs",
        action="append",
        default=[],
        metavar="[NAME=][ENCODING::]FOLDER",
        help="a model that the guest may load by NAME, else by the folder's last name; an only one "
        "is compiled while the guest gets ready. ENCODING is "
        "openvino (the default), onnx, tensorflow (frozen graph or SavedModel), tensorflowlite, "
        "pytorch (TorchScript) or paddle. Of several models in FOLDER it is model.*, NAME.* or "
        "that of the folder's name; FOLDER may also be a model's file",
    )
    parser.add_argument(
        "--backend",
        dest="backends",
        action="append",
        default=[],
        metavar="ENCODING=FRAMEWORK",
        help="the framework that reads an encoding, instead of OpenVINO: onnx=onnxruntime, "
        "tensorflowlite=litert; pytorch=torch trusts the guest with TorchScript of its own, which "
        "is a program outside the sandbox",
    )
    parser.add_argument(
        "--hint",
        choices=("latency", "throughput"),
        help="what the framework is to be fast in, where it can choose",
    )
    parser.add_argument(
        "--threads", type=_count, metavar="N", help="the threads that one inference may use"
    )
    parser.add_argument(
        "--model-cache",
        type=Path,
        metavar="DIR",
        help="a folder to keep OpenVINO's compiled models in, those of --graph alone",
    )
    parser.add_argument(
        "--tensor-type-abi",
        type=int,
        choices=(2022, 2023),
        default=2023,
        help="2022 for guests whose bindings are older than August 2023, where u8 is 2 and i32 "
        "is 3 (default: 2023)",
    )
    parser.add_argument(
        "--encoding-numbers",
        choices=("wasmedge", "wit"),
        default="wasmedge",
        help="what the encodings 5 and 6 are: wasmedge has 5 autodetect, wit has 6 (default: "
        "wasmedge)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="the wall time that the guest may take (default: 60)",
    )
    parser.add_argument(
        "--memory",
        type=_memory,
        default=1 << 30,
        metavar="'1 GiB'",
        help="the linear memory that the guest may have, in KiB, MiB or GiB (default: 1 GiB)",
    )
    parser.add_argument(
        "--fuel", type=_count, metavar="N", help="the instructions that the guest may take, roughly"
    )
    parser.add_argument("--trace", action="store_true", help="show each wasi-nn call on stderr")
    parser.add_argument("guest", type=Path, metavar="GUEST.wasm", help="the guest")
    parser.add_argument(
        "args", nargs="*", metavar="ARGS", help="arguments of the guest, after `--`"
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the guest and return its exit code; raises PipelineError.

    The guest runs in a thread, so that Ctrl-C works while it does, and a call that hangs in the
    host, which nothing can interrupt, ends with this process.
    """
    ended: list[Outcome | BaseException] = []

    def guest() -> None:
        try:
            ended.append(_run(args))
        except BaseException as error:
            ended.append(error)

    threading.stack_size(_STACK)
    thread = threading.Thread(target=guest, name="guest", daemon=True)
    threading.stack_size(0)
    thread.start()
    last = time.monotonic() + args.seconds + _GRACE_SECONDS
    try:
        # The guest's thread may get the signal: a wait without end would not notice.
        while thread.is_alive() and time.monotonic() < last:
            thread.join(_GLANCE_SECONDS)
    except KeyboardInterrupt:
        _leave(_INTERRUPTED)
    if not ended:
        print(_hangs(args).render(), file=sys.stderr)
        _leave(1)
    outcome = ended[0]
    if isinstance(outcome, BaseException):
        raise outcome
    return min(outcome.exit_code, _MOST_EXIT_CODE)


def _run(args: argparse.Namespace) -> Outcome:
    from pipeline.host.frameworks import parse_choice
    from pipeline.host.host import Host, NamedGraph

    # OpenVINO imports its converter where there is one, which takes as long as the rest of it; None
    # is Python's own way to say that there is none. This process converts nothing.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type] # it may be None

    with Host(
        say=_say,
        tensor_type_abi=args.tensor_type_abi,
        encoding_numbers=args.encoding_numbers,
        backends=dict(map(parse_choice, args.backends)),
        hint=args.hint,
        threads=args.threads,
        model_cache=args.model_cache,
    ) as host:
        return host.run(
            args.guest,
            args.args,
            dirs=args.dirs,
            graphs=[NamedGraph.parse(text) for text in args.graphs],
            seconds=args.seconds,
            memory=args.memory,
            fuel=args.fuel,
            inherit_stdin=True,
            trace=args.trace,
        )


def _say(text: str) -> None:
    print(f"wasi-nn: {text}", file=sys.stderr, flush=True)


def _leave(code: int) -> NoReturn:
    # The guest's thread cannot be ended, so nothing may wait for it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _hangs(args: argparse.Namespace) -> PipelineError:
    return PipelineError(
        Code.TIME_LIMIT,
        "The guest was ended with its host, since a call into the host did not return.",
        where=str(args.guest),
        expected=f"at most {args.seconds:g} s",
        hint="It sleeps, waits for input, or the model takes too long; see --trace.",
    )


def _host_first(text: str) -> Preopen:
    return _preopen(text, host_first=True)


def _guest_first(text: str) -> Preopen:
    return _preopen(text, host_first=False)


def _preopen(text: str, host_first: bool) -> Preopen:
    from pipeline.host.command import Preopen

    parts = text.split("::")
    writable = len(parts) == 3 and parts[2] == "rw"
    if writable:
        parts.pop()
    if len(parts) == 1 and host_first:
        parts.append(parts[0])
    if len(parts) != 2 or not all(parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not HOST, HOST::GUEST or HOST::GUEST::rw"
            if host_first
            else f"{text!r} is not GUEST::HOST or GUEST::HOST::rw"
        )
    host, guest = parts if host_first else reversed(parts)
    return Preopen(host=Path(host), guest=guest, writable=writable)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= threading.TIMEOUT_MAX - _GRACE_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _memory(text: str) -> int:
    try:
        return byte_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
