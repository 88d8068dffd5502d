"""`wasi-nn new`: draft a fixture's config from a model and photos."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.new.options import EPILOG, add_options
from pipeline.errors import Code, PipelineError, printable

if TYPE_CHECKING:
    from pipeline.cli.new.built_guest import BuiltGuest
    from pipeline.cli.new.inputs import Overrides
    from pipeline.cli.new.make_draft import DraftResult
    from pipeline.config.model_tables import Framework


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "new",
        help="draft a fixture's config from a model and its inputs",
        description="Inspects a model and writes a config that builds a verified fixture from it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Draft the config, write it and print the guesses; raises PipelineError."""
    from pipeline.cli.extras import require
    from pipeline.scratch import scratch_folder

    require("convert")
    root = _project()
    target = _target(root, args.name, force=args.force)
    with scratch_folder() as folder:
        return _draft(args, root, target, folder)


def _draft(args: argparse.Namespace, root: Path, target: Path, folder: Path) -> int:
    """Draft the config of ``target`` with the files of addresses in ``folder``."""
    from pipeline.cli.new.fetched_files import errors_by_address, fetched

    found = fetched(_arguments(args), root, folder)
    with errors_by_address(found):
        return _draft_from(args, root, target, found)


def _draft_from(
    args: argparse.Namespace, root: Path, target: Path, found: Mapping[str, Path]
) -> int:
    """Draft the config with the files of addresses in ``found``."""
    from pipeline.cli.new.draft_options import DraftOptions
    from pipeline.cli.new.make_draft import make_draft
    from pipeline.cli.new.terminal_prompts import asker
    from pipeline.model.convert.signatures import check_signature
    from pipeline.model.inspect.model_files import model_files

    model, source = (
        [found.get(text, Path(text)) for text in each] for each in (args.model, args.source)
    )
    _check_kinds([*model, *source])
    built = _built_guest(args, root, found)
    framework, files = model_files(model, args.framework)
    check_signature(framework, files, args.signature)
    source_framework, source_files = _source_model(framework, source)
    labels, vocabulary = (
        found.get(text, Path(text)) if text else None for text in (args.labels, args.vocabulary)
    )
    options = DraftOptions(
        root=root,
        name=args.name,
        framework=framework,
        files=files,
        images=[found.get(text, Path(text)) for text in args.image],
        inputs=args.input,
        rate=args.rate,
        vocabulary=vocabulary,
        fetched=found,
        source_framework=source_framework,
        source_files=source_files,
        labels=labels,
        overrides=_overrides(args),
        precisions=list(dict.fromkeys(args.precision)),
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
    _print_summary(root, target, result, built.notes if built else ())
    if built:
        print(
            f"  {built.config}: if the guest does not read fixture.txt, declare what it prints in "
            f"[expect.{result.draft.cases[0]}]: stdout, exit"
        )
    return 0


def _built_guest(
    args: argparse.Namespace, root: Path, found: Mapping[str, Path]
) -> BuiltGuest | None:
    """Return the guest that is a file or at an address; None for the name of one."""
    from pipeline.cli.new.built_guest import SUFFIX, built_guest

    path = found.get(args.guest, Path(args.guest))
    if path.name == args.guest and not args.guest.endswith(SUFFIX):
        return None
    address = args.guest if args.guest in found else None
    return built_guest(root, path, address, args.guest_license, force=args.force)


def _arguments(args: argparse.Namespace) -> list[str]:
    """Return all arguments that may be addresses."""
    from pipeline.cli.new.fetched_files import is_address

    files = [text if is_address(text) else text.partition("=")[2] for text in args.input]
    others = [text for text in (args.labels, args.vocabulary) if text]
    return [*args.model, *args.source, *args.image, *files, *others, args.guest]


def _source_model(
    framework: Framework, paths: Sequence[Path]
) -> tuple[Framework | None, Mapping[str, Path]]:
    """Return the framework and files of an IR's source model; raises PipelineError (USAGE)."""
    from pipeline.model.inspect.model_files import model_files

    if not paths:
        return None, {}
    if framework != "openvino":
        raise PipelineError(
            Code.USAGE,
            "Only an IR has a source model besides itself.",
            where=f"--source {paths[0]}",
            hint="Omit --source, or give the IR's .xml as the model.",
        )
    return model_files(paths, None)


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
    from pipeline.cli.new.input_files import PICTURES
    from pipeline.cli.new.local_files import check_regular

    for path in paths:
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
        if path.suffix.lower() in PICTURES and path.is_file():
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

    files = [*result.local_files, *([built.file] if built and built.file else [])]
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


def _print_summary(root: Path, target: Path, result: DraftResult, of_guest: Sequence[str]) -> None:
    """Print what was guessed and the next commands, wrapped to the terminal's width."""
    from pipeline.cli.new.draft import guesses
    from pipeline.cli.new.inputs import owner

    draft, name = result.draft, target.stem
    head = f"{target.relative_to(root)}: from {owner(draft.framework)}"
    rows, notes = guesses(draft), [*_notes(result), *of_guest]
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
    from pipeline.http.urls import redacted_url
    from pipeline.verify.executors import EXECUTORS as RUNTIMES

    draft = result.draft
    executor = EXECUTORS[draft.executed]
    notes = [
        f"{case}: {executor} predicts {draft.class_of(top_class)} ({top_class.value:.3f})"
        for case, top_class in draft.top_classes.items()
    ]
    notes += result.notes
    for source in draft.sources.values():
        if not source.urls[0].startswith("file:") and source.sha256:
            notes.append(f"{redacted_url(source.urls[0])} pinned by sha256 {source.sha256}")
    if draft.executed == "openvino":
        notes.append(
            "the IR is checked against itself, which shows nothing about its conversion: give its "
            "source model with --source, if you have it"
        )
    unknown = [name for name, each in draft.sources.items() if each.license == UNKNOWN_LICENCE]
    if unknown:
        flags = {"--license" if name in result.of_model else "--image-license" for name in unknown}
        notes.append(
            f"the licence of {', '.join(unknown)} is unknown: set it in the config, or use "
            f"{' and '.join(sorted(flags, reverse=True))}"
        )
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
