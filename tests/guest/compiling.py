"""Guests compiled by the recipe itself, with a compiler's cache that the session shares."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from msgspec.structs import replace

from pipeline.config.load_project import load_project
from pipeline.config.schema import LanguageName
from pipeline.execution.action import Action, Job
from pipeline.graph.guest_steps import guest_steps
from pipeline.graph.layout import Layout
from pipeline.guest.build import compile_guest
from pipeline.guest.languages import LANGUAGES
from tests.programs import COMPILERS, require_program
from tests.tiny import BUILTIN, ROOT

MODULES = ("wasi_ephemeral_nn", "wasi_snapshot_preview1")


@dataclass(frozen=True)
class Built:
    """A compiled guest, and what it imports."""

    wasm: Path
    imports: tuple[str, ...]


def compile_files(
    sources: Sequence[Path],
    headers: Sequence[Path],
    *,
    into: Path,
    toolchains: Path,
    seconds: float = 300,
    language: LanguageName = "c",
) -> Built:
    """Compile a guest into the folder ``into``, which must not exist yet."""
    (into / "scratch").mkdir(parents=True)
    wasm, imports = into / "guest.wasm", into / "imports.json"
    # The files of a compiler are those that a guest of ours in this language has.
    steps = steps_of_every_guest(ROOT)
    ours = next(step for step in steps if step.parameters.get("language") == language)
    compile_guest(
        Job(
            inputs={
                **{f"source.{number}": path for number, path in enumerate(sources)},
                **{f"header.{number}": path for number, path in enumerate(headers)},
                **{
                    f"compiler.{label}": path
                    for label, path in LANGUAGES[language].compiler().items()
                },
            },
            outputs={"wasm": wasm, "imports": imports},
            parameters={**ours.parameters, "modules": list(MODULES), "seconds": seconds},
            unkeyed={**ours.unkeyed, **kept_in(toolchains)},
            scratch=into / "scratch",
        )
    )
    return Built(wasm, tuple(json.loads(imports.read_text())))


def steps_of_every_guest(root: Path) -> list[Action]:
    """Return the steps of the guests of a project, those that no fixture runs included."""
    configs = load_project(root)
    fixture = next(iter(configs.fixtures.values()))
    fixtures = {
        name: replace(fixture, guest=replace(fixture.guest, program=name))
        for name in configs.guests
    }
    return list(guest_steps(Layout(configs), replace(configs, fixtures=fixtures)))


def kept_in(toolchains: Path) -> dict[str, Path]:
    """Return where compilers keep what they build and what is fetched for them."""
    return {"kept": toolchains, "downloads": toolchains / "downloads"}


def compile_named(name: str, into: Path, toolchains: Path, root: Path = ROOT) -> Built:
    """Compile a guest of the project at ``root`` as its step does.

    A compiler that is not installed skips the test, and in CI fails it.
    """
    steps = {step.name: step for step in steps_of_every_guest(root)}
    step = steps[f"guest:{name}"]
    into.mkdir(parents=True)
    job = Job(
        inputs=step.inputs,
        outputs={label: into / path.name for label, path in step.outputs.items()},
        parameters=step.parameters,
        unkeyed={**step.unkeyed, **kept_in(toolchains)},
        scratch=Path(mkdtemp(dir=into)),
    )
    require_compiler(str(step.parameters["language"]))
    step.recipe(job)
    return Built(job.outputs["wasm"], tuple(json.loads(job.outputs["imports"].read_text())))


def require_compiler(language: str) -> None:
    """Skip the test where the compiler of a language is not installed, and in CI fail it."""
    if language in COMPILERS:
        require_program(*COMPILERS[language])


def guest_names() -> list[str]:
    """Return the built-in guests, and those of this project."""
    return sorted(load_project(ROOT).guests)


def classify_files(root: Path = BUILTIN) -> tuple[list[Path], list[Path]]:
    """Return the sources and headers of ``classify``, as its config lists them."""
    config = tomllib.loads((BUILTIN / "configs/guests/classify.toml").read_text())
    sources, headers = ([root / each for each in config[key]] for key in ("sources", "headers"))
    return sources, headers


def compile_classify(into: Path, toolchains: Path, root: Path = BUILTIN) -> Built:
    """Compile ``classify`` from the sources below ``root``."""
    sources, headers = classify_files(root)
    return compile_files(sources, headers, into=into, toolchains=toolchains)
