"""`wasi-nn inspect`: show what a file holds."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.cli.limits import add_limits, limits
from pipeline.errors import Code, PipelineError, printable

if TYPE_CHECKING:
    from pipeline.execution.action import Job

_MOST_ENTRIES = 40

# OpenVINO reads these.
_MODELS = (".xml", ".onnx", ".tflite")


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "inspect",
        help="show what a model, guest or tensor file holds",
        description=(
            "Shows the inputs, outputs, operations and digests of a model: an IR (.xml, with its "
            ".bin beside it), ONNX, TFLite, or Caffe weights (.caffemodel); the imports, exports "
            "and memory of a guest (.wasm), and the wasi-nn that it was built for; the contents "
            "of a raw tensor (.bgr, .rgb, .rgba, .gray, .raw), and whether they match its name."
        ),
    )
    parser.add_argument("file", type=Path, help="file to inspect")
    add_limits(parser, "looking at it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Show the file; returns 1 if its parts do not match, or its bytes do not match its name."""
    from pipeline.execution.bounded_call import BoundedCalls

    path: Path = args.file
    if not path.is_file():
        raise PipelineError(Code.USAGE, "No such file.", where=str(path))
    look = _looks().get(path.suffix.lower())
    if look is None:
        raise PipelineError(
            Code.USAGE,
            "Unsupported file type.",
            where=str(path),
            expected=", ".join(_looks()),
        )
    if path.suffix.lower() in _MODELS:
        from pipeline.cli.extras import require

        require("run")
    with BoundedCalls(*limits(args.seconds, args.memory)) as calls:
        parameters = {"look": look, "path": path.absolute()}
        found: Mapping[str, Any] = json.loads(calls.call(_look, parameters, "The inspection"))
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found, "")
    return 0 if found.get("belong together", True) and "warning" not in found else 1


def _look(job: Job) -> None:
    look = cast("Callable[[Path], Mapping[str, Any]]", job.parameters["look"])
    found = look(cast(Path, job.parameters["path"]))
    job.outputs["result"].write_text(json.dumps(found))


def _looks() -> Mapping[str, Callable[[Path], Mapping[str, Any]]]:
    from pipeline.guest.inspect_guest import inspect_guest
    from pipeline.model.inspect import inspect_model
    from pipeline.tensor.inspect_tensor import inspect_tensor

    return {
        ".xml": inspect_model.inspect_ir,
        ".onnx": inspect_model.inspect_network,
        ".tflite": inspect_model.inspect_network,
        ".caffemodel": inspect_model.inspect_caffemodel,
        ".wasm": inspect_guest,
        **dict.fromkeys((".bgr", ".rgb", ".rgba", ".gray", ".raw"), inspect_tensor),
    }


def _list_line(head: str, items: Sequence[str]) -> str:
    """Return the items of a list, comma-separated; on a terminal, wrapped between them."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return wrapped_list(head, items, width)


def wrapped_list(head: str, items: Sequence[str], width: int | None) -> str:
    r"""Return the items after a head, in lines of up to ``width`` columns if that is not None.

    >>> wrapped_list("imports:", ["a.b: () -> ()", "c.d: (i32 i32) -> ()"], 25)
    'imports: a.b: () -> (),\n  c.d: (i32 i32) -> ()'
    """
    margin = " " * (len(head) - len(head.lstrip()) + 2)
    lines, line = [], head
    for number, item in enumerate(items, 1):
        piece = f"{item}," if number < len(items) else item
        if width is not None and len(line) + 1 + len(piece) > width and line != head:
            lines.append(line)
            line = f"{margin}{piece}"
        else:
            line = f"{line} {piece}"
    return "\n".join([*lines, line])


def _show(value: Mapping[str, Any], indent: str) -> None:
    for number, (name, item) in enumerate(value.items()):
        if number == _MOST_ENTRIES:
            print(f"{indent}… and {len(value) - number} more; use --json to show all")
            break
        if isinstance(item, Mapping):
            print(f"{indent}{printable(name)}:")
            _show(item, indent + "  ")
        elif isinstance(item, list) and item and isinstance(item[0], Mapping):
            print(f"{indent}{printable(name)}:")
            for each in item:
                print(f"{indent}  {printable('  '.join(map(str, each.values())))}")
        elif isinstance(item, list):
            print(
                _list_line(f"{indent}{printable(name)}:", [printable(str(each)) for each in item])
            )
        else:
            text = {True: "yes", False: "no"}.get(item, item) if isinstance(item, bool) else item
            print(f"{indent}{printable(name)}: {printable(str(text))}")
