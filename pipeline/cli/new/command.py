"""`wasi-nn new`: draft a fixture's config from a model and photos."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pipeline.config.model_tables import Framework, Precision
from pipeline.errors import Code, PipelineError, printable

if TYPE_CHECKING:
    from pipeline.cli.new.built_guest import BuiltGuest
    from pipeline.cli.new.inputs import Overrides
    from pipeline.cli.new.make_draft import DraftResult

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
_EPILOG = """\
example:
  wasi-nn new my-net net.onnx --image cat.jpg
  doit manifest:my-net
  wasi-nn run --dir artifacts/my-net::fixture artifacts/my-net/classify.wasm -- cat

  wasi-nn new my-net deploy.prototxt net.caffemodel --image cat.jpg --license BSD-2-Clause
  wasi-nn new my-net saved_model_folder --shape audio=1x16000 --precision f32 --precision f16

  writes configs/fixtures/my-net.toml and prints what was guessed, and why. On a terminal it prompts
  for what it cannot detect; elsewhere, or with --yes, it uses its guesses, or names the missing
  option. Files from outside the project are copied to models/my-net.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "new",
        help="draft a fixture's config from a model and photos",
        description="Inspects a model and writes a config that builds a verified fixture from it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="name of the fixture")
    parser.add_argument(
        "model", nargs="+", type=Path, metavar="MODEL", help="files of the model, or its folder"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        type=Path,
        metavar="PHOTO",
        help="a photo, which becomes a case; repeatable (default: random noise)",
    )
    parser.add_argument("--labels", type=Path, help="text file of class names, one per line")
    parser.add_argument(
        "--framework", choices=get_args(Framework), help="the model's framework (default: detected)"
    )
    parser.add_argument(
        "--architecture",
        help="module of a PyTorch state dict: mobilenet_v2, or package.module:callable",
    )
    parser.add_argument(
        "--signature",
        metavar="NAME",
        help="signature of a TFLite file or SavedModel (default: the only one, or serving_default)",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1x3xHxW",
        help="an input's full shape; NAME= is optional for a model with one input",
    )
    parser.add_argument(
        "--values",
        choices=("imagenet", "caffe", "signed", "unit", "raw"),
        help="pixel values: imagenet (mean and deviation), caffe (mean), signed (-1 to 1), unit "
        "(0 to 1), raw (0 to 255)",
    )
    parser.add_argument("--colour", choices=("RGB", "BGR"), help="channel order")
    parser.add_argument("--layout", help="axis order, such as NHWC")
    parser.add_argument(
        "--precision",
        action="append",
        default=[],
        choices=get_args(Precision),
        help="weight precision (default: f32); further ones become variants of the fixture",
    )
    parser.add_argument("--description", help="description in one sentence")
    parser.add_argument("--license", metavar="SPDX", help="licence of the model")
    parser.add_argument("--image-license", metavar="SPDX", help="licence of the photos")
    parser.add_argument(
        "--guest",
        default="classify",
        metavar="NAME|FILE.wasm",
        help="guest program: its name, or a guest that is already built (default: classify)",
    )
    parser.add_argument("--guest-license", metavar="SPDX", help="licence of a guest in a file")
    transfer = parser.add_mutually_exclusive_group()
    transfer.add_argument(
        "--copy",
        action="store_const",
        const="copy",
        dest="way",
        help="copy files into the project, whatever their size",
    )
    transfer.add_argument(
        "--link",
        action="store_const",
        const="link",
        dest="way",
        help="link to files outside the project; builds only on this machine",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing config")
    parser.add_argument("-y", "--yes", action="store_true", help="do not prompt, use the guesses")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Draft the config, write it and print the guesses; raises PipelineError."""
    from pipeline.cli.extras import require
    from pipeline.cli.new.built_guest import SUFFIX, built_guest
    from pipeline.cli.new.draft_options import DraftOptions
    from pipeline.cli.new.make_draft import make_draft
    from pipeline.cli.new.terminal_prompts import asker
    from pipeline.model.convert.signatures import check_signature
    from pipeline.model.inspect.model_files import model_files

    require("convert")
    root = _project()
    target = _target(root, args.name, force=args.force)
    _check_kinds(args.model)
    built = None
    if args.guest.endswith(SUFFIX):
        built = built_guest(root, Path(args.guest), args.guest_license, force=args.force)
    framework, files = model_files(args.model, args.framework)
    check_signature(framework, files, args.signature)
    options = DraftOptions(
        root=root,
        name=args.name,
        framework=framework,
        files=files,
        images=args.image,
        labels=args.labels,
        overrides=_overrides(args),
        precisions=list(dict.fromkeys(args.precision)) or ["f32"],
        architecture=args.architecture,
        signature=args.signature,
        description=args.description,
        license=args.license,
        image_license=args.image_license,
        way=args.way,
        guest=built.name if built else args.guest,
        guests=[*_guests(root), *([built.name] if built else [])],
    )
    result = make_draft(options, asker(quiet=args.yes))
    _write(root, target, result, built, force=args.force)
    _print_summary(root, target, result)
    if built:
        print(
            f"  {built.config}: if the guest does not read fixture.txt, declare what it prints in "
            f"[expect.{result.draft.cases[0]}]: stdout, exit"
        )
    return 0


def _project() -> Path:
    """Return the root folder of the project around the current folder."""
    here = Path(os.path.abspath(Path.cwd()))  # noqa: PTH100 - keep links as the user sees them
    for folder in (here, *here.parents):
        if (folder / "dodo.py").is_file() and (folder / "configs").is_dir():
            return folder
    raise PipelineError(
        Code.USAGE,
        "No project found.",
        where=str(here),
        expected="a folder with dodo.py and configs/, or a folder inside one",
        hint="`wasi-nn init` writes a new project.",
    )


def _guests(root: Path) -> list[str]:
    from pipeline.config.load_project import builtin_guest_names

    own = (path.stem for path in (root / "configs/guests").glob("*.toml"))
    return sorted({*own, *builtin_guest_names()})


def _target(root: Path, name: str, *, force: bool) -> Path:
    from pipeline.config.load_project import load_project
    from pipeline.config.rules import name_fault
    from pipeline.errors import ConfigErrors

    fault = name_fault(name) or ("any name but 'model'" if name == "model" else "")
    if fault:
        raise PipelineError(Code.USAGE, "Invalid fixture name.", expected=fault, found=name)
    target = root / "configs" / "fixtures" / f"{name}.toml"
    if target.is_dir():
        raise PipelineError(
            Code.STORAGE,
            "Cannot write the config: a folder has its name.",
            where=str(target.relative_to(root)),
            hint="Move the folder away.",
        )
    if target.exists() or target.is_symlink():
        if not force:
            raise PipelineError(
                Code.USAGE,
                f"A fixture named {name!r} exists already.",
                where=str(target.relative_to(root)),
                hint="Choose another name, or use --force to overwrite it.",
            )
        return target
    # doit reports errors elsewhere in the project.
    with suppress(ConfigErrors):
        if name in load_project(root).fixtures:
            raise PipelineError(
                Code.USAGE,
                f"A variant named {name!r} exists already.",
                hint="Choose another name.",
            )
    return target


def _check_kinds(paths: Sequence[Path]) -> None:
    """Raise PipelineError (USAGE) for a file that cannot be a source model."""
    from pipeline.cli.new.local_files import check_regular

    for path in paths:
        if path.suffix.lower() == ".xml":
            raise PipelineError(
                Code.USAGE,
                "An OpenVINO IR cannot be the source of a fixture.",
                where=str(path),
                expected="the model that the IR was converted from",
                hint="Results are checked against the source model's framework, which an IR does "
                "not have.",
            )
        if not path.is_dir():
            check_regular(path)
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise PipelineError(
                Code.USAGE,
                "The model's path is not UTF-8.",
                where=str(path),
                hint="Rename it: a config and OpenVINO need UTF-8 paths.",
            ) from None
        if path.suffix.lower() in _PICTURES and path.is_file():
            raise PipelineError(
                Code.USAGE,
                "This is an image, not a model.",
                where=str(path),
                hint=f"Give it as --image {path}.",
            )


def _overrides(args: argparse.Namespace) -> Overrides:
    from pipeline.cli.new.inputs import Overrides

    return Overrides(
        shapes=_shapes(args.shape),
        values=args.values,
        colour=args.colour,
        layout=args.layout,
        any_layout=args.yes,
    )


def _shapes(texts: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    from pipeline.cli.new.shapes import parse_shape

    found = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        try:
            found[name] = parse_shape(sizes)
        except ValueError:
            raise PipelineError(
                Code.USAGE,
                "Invalid shape.",
                where=f"--shape {text}",
                expected="NAME=1x3x224x224, with your sizes",
            ) from None
    return found


def _write(
    root: Path, target: Path, result: DraftResult, built: BuiltGuest | None, *, force: bool
) -> None:
    """Copy the files and write the configs, or change nothing."""
    from pipeline.cache.atomic import write_bytes
    from pipeline.cli.new.local_files import imported_files

    files = [*result.local_files, *([built.file] if built else [])]
    with imported_files(root, files, result.way, force=force):
        try:
            if built:
                write_bytes(root / built.config, built.text.encode())
            write_bytes(target, result.text.encode())
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "Cannot write the config.",
                where=str(target),
                found=error.strerror or str(error),
            ) from None


def _print_summary(root: Path, target: Path, result: DraftResult) -> None:
    """Print what was guessed and the next commands, wrapped to the terminal's width."""
    from pipeline.cli.new.draft import guesses
    from pipeline.cli.new.inputs import owner

    draft, name = result.draft, target.stem
    head = f"{target.relative_to(root)}: from {owner(draft.framework)}"
    rows, notes = guesses(draft), _notes(result)
    run = f"wasi-nn run --dir artifacts/{name}::fixture artifacts/{name}/{draft.guest}.wasm"
    variants = [f"  doit manifest:{name}-{precision}" for precision in draft.precisions[1:]]
    then = ["next:", f"  doit manifest:{name}", f"  {run} -- {draft.cases[0]}", *variants]
    if sys.stdout.isatty():
        from rich.console import Console

        from pipeline.cli.new.terminal_prompts import grid

        console = Console(highlight=False)
        console.print(head, style="bold", markup=False)
        console.print(grid(rows))
        console.print(grid([note] for note in notes))
        # Not wrapped, so that the commands can be copied.
        console.print("\n".join(then), markup=False, soft_wrap=True)
        return
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [
        f"{what:<{widths[0]}}  {item:<{widths[1]}}  {why}".rstrip() for what, item, why in rows
    ]
    print(printable("\n".join([head, *(f"  {line}" for line in [*lines, *notes]), *then])))


def _notes(result: DraftResult) -> list[str]:
    from pipeline.cli.new.draft import EXECUTORS
    from pipeline.config.schema import UNKNOWN_LICENCE
    from pipeline.verify.executors import EXECUTORS as RUNTIMES

    draft = result.draft
    executor = EXECUTORS[draft.framework]
    notes = [
        f"{case}: {executor} predicts {draft.class_of(top_class)} ({top_class.value:.3f})"
        for case, top_class in draft.top_classes.items()
    ]
    notes += result.notes
    if any(source.license == UNKNOWN_LICENCE for source in draft.sources.values()):
        notes.append("a licence is unknown: set it in the config, or use --license")
    if moved := [each.path for each in result.local_files if each.origin]:
        done = "copied to" if result.way == "copy" else "linked, for this machine only, as"
        notes.append(f"{done} {', '.join(moved)}")
        if result.way == "copy":
            notes.append("other machines need them too: commit them, or add download URLs")
    if toolchain := RUNTIMES[executor].toolchain:
        notes.append(
            f"the golden check runs {executor} in a locked environment ({toolchain}), installed "
            "once"
        )
    return notes
