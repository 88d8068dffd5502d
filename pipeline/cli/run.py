"""`wasi-nn run`: run a wasi-nn guest in the sandbox."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.cli.class_names import classes_of, labels_beside, read_labels
from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.byte_count import byte_count

if TYPE_CHECKING:
    from pipeline.host.host import Outcome, Preopen

_GRACE_SECONDS = 2.0
_GLANCE_SECONDS = 0.2
# macOS gives a thread 512 KiB of stack, less than wasm may use.
_STACK = 16 << 20
_MOST_EXIT_CODE = 255
_INTERRUPTED = 130
# Of tensors, for --labels.
_RECORDED = 64 << 20

# The library's parameters, as its messages name them.
_FLAGS = {
    "backends": "--backend",
    "disk": "--disk",
    "encoding_numbers": "--encoding-numbers",
    "graphs": "--graph",
    "memory": "--memory",
    "model_cache": "--model-cache",
    "tensor_type_abi": "--tensor-type-abi",
}

_EPILOG = """\
example:
  wasi-nn run --dir artifacts/squeezenet::fixture artifacts/squeezenet/classify.wasm cat

  runs the guest classify.wasm with the argument `cat`. The guest sees the folder
  artifacts/squeezenet as `fixture`, and nothing else of this machine. All that follows GUEST.wasm
  belongs to the guest, options too; a `--` right after GUEST.wasm is dropped.

  wasi-nn run --graph openvino::models/mobilenet --trace guest.wasm

  lets the guest load models/mobilenet/model.xml and model.bin by the name mobilenet,
  and prints each of its calls.

environment:
  the host overwrites the environment variables that it does not need, so that its process holds no
  secrets while it runs a guest.

exit code:
  the guest's own (255 for any above), 1 for an error, which is printed on stderr, or 2 for an
  invalid command line.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "run",
        help="run a wasi-nn guest in the sandbox",
        description=(
            "Runs a WebAssembly guest, a core module for WASI preview 1 or a component for WASI "
            "0.2, with wasi-nn on OpenVINO, or on the framework that --backend selects. The guest "
            "has no access to files other than those of --dir and --graph, nor to environment "
            "variables other than those of --env."
        ),
        # Options of the guest may begin like ours.
        allow_abbrev=False,
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
        help="preopen HOST as GUEST (default: HOST as written), read-only (::rw to allow writing)",
    )
    parser.add_argument(
        "--mapdir",
        dest="dirs",
        action="append",
        type=_guest_first,
        metavar="GUEST::HOST[::rw]",
        help="like --dir with the names swapped, as in older Wasmtime",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="an environment variable for the guest (default: with its value in this environment)",
    )
    parser.add_argument(
        "--graph",
        dest="graphs",
        action="append",
        default=[],
        metavar="[NAME=][ENCODING::]FOLDER",
        help="a model that the guest may load as NAME (default: the folder's name); an only one is "
        "compiled while the guest starts. ENCODING is openvino (default), onnx, tensorflow (frozen "
        "graph or SavedModel), tensorflowlite, pytorch (TorchScript) or paddle. If FOLDER holds "
        "several models, it is model.*, NAME.* or the one named like the folder; FOLDER may also "
        "be a model file",
    )
    parser.add_argument(
        "--preload",
        dest="preloads",
        action="append",
        default=[],
        type=_named_module,
        metavar="NAME=FILE",
        help="a module that the guest imports from as NAME: an instance of its own, with wasi-nn "
        "but without WASI; repeatable",
    )
    parser.add_argument(
        "--backend",
        dest="backends",
        action="append",
        default=[],
        metavar="ENCODING=FRAMEWORK",
        help="framework for an encoding instead of OpenVINO: onnx=onnxruntime, "
        "tensorflowlite=litert, or pytorch=torch, which runs the guest's TorchScript outside the "
        "sandbox",
    )
    parser.add_argument(
        "--hint",
        choices=("latency", "throughput"),
        help="what the framework should optimise for, if it can choose",
    )
    parser.add_argument(
        "--threads", type=_count, metavar="N", help="maximum number of threads per inference"
    )
    parser.add_argument(
        "--model-cache",
        type=Path,
        metavar="DIR",
        help="folder for OpenVINO's cache of compiled models, for --graph only",
    )
    parser.add_argument(
        "--tensor-type-abi",
        type=int,
        choices=(2022, 2023),
        default=2023,
        help="2022 for guests with bindings older than August 2023, where u8 is 2 and i32 is 3 "
        "(default: 2023)",
    )
    parser.add_argument(
        "--encoding-numbers",
        choices=("wasmedge", "wit"),
        default="wasmedge",
        help="meaning of encodings 5 and 6: wasmedge has 5 = autodetect, wit has 6 = autodetect "
        "(default: wasmedge)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="wall-time limit of the guest (default: 60)",
    )
    parser.add_argument(
        "--memory",
        type=_bytes,
        default=1 << 30,
        metavar="SIZE",
        help="memory limit of the guest in KiB, MiB or GiB (default: 1GiB)",
    )
    parser.add_argument(
        "--disk",
        type=_bytes,
        default=1 << 30,
        metavar="SIZE",
        help="limit of what the guest may write into its folders (default: 1GiB)",
    )
    parser.add_argument(
        "--fuel", type=_count, metavar="N", help="instruction limit of the guest, approximate"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="print the classes that each output ranks first on stderr, with their names in FILE, "
        "one a line (default: labels.txt in the guest's folder, if there is one)",
    )
    parser.add_argument("--trace", action="store_true", help="print each wasi-nn call on stderr")
    parser.add_argument("guest", type=Path, metavar="GUEST.wasm", help="module or component to run")
    parser.add_argument(
        "args", nargs=argparse.REMAINDER, metavar="ARGS", help="arguments for the guest"
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the guest and return its exit code; raises PipelineError.

    The guest runs in a thread: Ctrl-C works meanwhile, and exiting the process ends a call that
    hangs in the host, which cannot be interrupted.
    """
    variables = dict(map(_variable, args.env))
    ended: list[Outcome | BaseException] = []

    def guest() -> None:
        try:
            ended.append(_run(args, variables))
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=guest, name="guest", daemon=True)
    threading.stack_size(_STACK)
    thread.start()
    threading.stack_size(0)
    last = time.monotonic() + args.seconds + _GRACE_SECONDS
    try:
        # The guest's thread may receive the signal, and an unbounded wait would not notice.
        while thread.is_alive() and time.monotonic() < last:
            thread.join(_GLANCE_SECONDS)
    except KeyboardInterrupt:
        _leave(_INTERRUPTED)
    if not ended:
        print(_hangs(args).render(), file=sys.stderr)
        _leave(1)
    outcome = ended[0]
    if isinstance(outcome, PipelineError):
        outcome.where, outcome.hint, outcome.detail = map(
            _with_flags, (outcome.where, outcome.hint, outcome.detail)
        )
    if isinstance(outcome, BaseException):
        raise outcome
    return min(outcome.exit_code, _MOST_EXIT_CODE)


def _run(args: argparse.Namespace, variables: Mapping[str, str]) -> Outcome:
    from pipeline.host.backend_registry import parse_choice
    from pipeline.host.host import Host, NamedGraph

    named = args.labels or labels_beside(args.guest)
    labels = read_labels(named) if named else ()
    with Host(
        on_message=_print_message,
        tensor_type_abi=args.tensor_type_abi,
        encoding_numbers=args.encoding_numbers,
        backends=dict(map(parse_choice, args.backends)),
        hint=args.hint,
        threads=args.threads,
        model_cache=args.model_cache,
    ) as host:
        outcome = host.run(
            args.guest,
            args.args[1:] if args.args[:1] == ["--"] else args.args,
            env=variables,
            dirs=args.dirs,
            graphs=[NamedGraph.parse(text) for text in args.graphs],
            preloads=dict(args.preloads),
            seconds=args.seconds,
            memory=args.memory,
            disk=args.disk,
            fuel=args.fuel,
            inherit_stdin=True,
            trace=args.trace,
            tensors=_RECORDED if labels else 0,
        )
    for line in classes_of(outcome.tensors, labels) if labels else ():
        _print_message(line)
    return outcome


def _print_message(text: str) -> None:
    # A message has one line, and names what a guest or a model chose.
    shown = printable(_with_flags(text)).replace("\n", "\\n")
    print(f"wasi-nn: {shown}", file=sys.stderr, flush=True)


def _with_flags(text: str) -> str:
    """Return a message of the library with this command's flags for the library's parameters.

    >>> _with_flags("try `tensor_type_abi` 2022")
    'try --tensor-type-abi 2022'
    """
    for parameter, flag in _FLAGS.items():
        text = text.replace(f"`{parameter}`", flag)
    return text


def _leave(code: int) -> NoReturn:
    # The guest's thread cannot be stopped, so nothing may wait for it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _hangs(args: argparse.Namespace) -> PipelineError:
    return PipelineError(
        Code.TIME_LIMIT,
        "The guest hangs in a call into the host.",
        where=str(args.guest),
        expected=f"at most {args.seconds:g} s",
        hint="It sleeps, waits for input, or the inference takes too long; see --trace.",
    )


def _host_first(text: str) -> Preopen:
    return _preopen(text, host_first=True)


def _guest_first(text: str) -> Preopen:
    return _preopen(text, host_first=False)


def _preopen(text: str, host_first: bool) -> Preopen:
    from pipeline.host.sandbox.guest_command import Preopen

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


def _named_module(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name, Path(path)


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
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals and name not in os.environ:
        raise PipelineError(
            Code.USAGE,
            "The environment has no such variable to pass to the guest.",
            where=f"--env {text}",
            hint="Set it, or write --env NAME=VALUE.",
        )
    return name, value if equals else os.environ[name]


def _bytes(text: str) -> int:
    try:
        return byte_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
