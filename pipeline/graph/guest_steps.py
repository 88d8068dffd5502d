"""The steps that compile the guests, each by the compiler of its language, and components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config.load_project import Configs
from pipeline.config.schema import Guest, Source
from pipeline.config.source_rules import local_path
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action, Declaration
from pipeline.graph.layout import Layout
from pipeline.graph.tools import tool
from pipeline.guest.build import compile_guest
from pipeline.guest.component.build_component import compile_component
from pipeline.guest.languages import LANGUAGES
from pipeline.guest.languages.wasm import FILE

WASM_TOOLS = "wasm-tools"
_PINNED = ("sha256", "sha384", "sha1", "size")


def guest_steps(layout: Layout, configs: Configs) -> Iterator[Action]:
    """Yield the step of each guest of the project, and of each built-in one that a fixture runs."""
    used = {fixture.guest.program for fixture in configs.fixtures.values()}
    for name, guest in configs.guests.items():
        if name in configs.builtin_guests and name not in used:
            continue
        yield Action(
            kind="guest",
            label=name,
            title=guest.description,
            recipe=compile_guest,
            inputs=_inputs(configs, name, guest, guest.sources),
            outputs={
                "wasm": layout.step("guests", f"{name}.wasm"),
                "imports": layout.step("guests", f"{name}.imports.json"),
            },
            parameters=_parameters(guest) | {"modules": list(guest.imports)},
            unkeyed=_unkeyed(layout, guest),
            **_common(layout, configs, name),
        )


def component_steps(layout: Layout, configs: Configs) -> Iterator[Action]:
    """Yield the step of each component that a fixture has.

    Raises PipelineError (CONFIG) for a guest that cannot be built as one.
    """
    tools = tool(WASM_TOOLS, WASM_TOOLS)
    wanted = {
        each.guest.program: fixture
        for fixture, each in configs.fixtures.items()
        if each.guest.component
    }
    for name, fixture in sorted(wanted.items()):
        guest = configs.guests[name]
        if not guest.component:
            raise PipelineError(
                Code.CONFIG,
                f"The guest {name} is not built as a component.",
                where=f"{fixture}: guest.component",
                expected=f"component = [...] in the config of {name}",
                hint="Remove component from [guest], or run `wasi-nn componentize` on the guest.",
            )
        yield Action(
            kind="component",
            label=name,
            title=f"{guest.description}, as a component",
            recipe=compile_component,
            inputs={
                **_inputs(configs, name, guest, (*guest.sources, *guest.component)),
                **tools.inputs(layout),
            },
            outputs={
                "wasm": layout.step("guests", f"{name}.component.wasm"),
                "imports": layout.step("guests", f"{name}.component.imports.json"),
            },
            parameters=_parameters(guest),
            unkeyed={
                **_unkeyed(layout, guest),
                **tools.unkeyed(layout),
                "npm.environment": layout.environment("npm"),
            },
            **_common(layout, configs, name),
        )


def _inputs(configs: Configs, name: str, guest: Guest, sources: tuple[str, ...]) -> dict[str, Any]:
    if guest.file is not None and (path := local_path(guest.file)) is not None:
        sources = (path,)
    files = {"source": sources, "header": guest.headers}
    compiler = LANGUAGES[guest.language].compiler()
    return {
        f"{kind}.{number}": configs.guest_folder(name) / path
        for kind, paths in files.items()
        for number, path in enumerate(paths)
    } | {f"compiler.{label}": path for label, path in compiler.items()}


def _fetched(guest: Guest) -> Mapping[str, Source]:
    if guest.file is None or local_path(guest.file) is not None:
        return guest.compiler
    return {**guest.compiler, FILE: guest.file}


def _parameters(guest: Guest) -> dict[str, Any]:
    return {
        "language": guest.language,
        "seconds": guest.seconds,
        "compiler": {
            label: {key: getattr(source, key) for key in _PINNED}
            for label, source in _fetched(guest).items()
        },
    }


def _unkeyed(layout: Layout, guest: Guest) -> Mapping[str, object]:
    return {
        "kept": layout.toolchains,
        "urls": {label: source.urls for label, source in _fetched(guest).items()},
        "downloads": layout.cache / "downloads",
        "offline": layout.offline,
        "root": layout.root,
    }


def _common(layout: Layout, configs: Configs, name: str) -> dict[str, Any]:
    config = configs.guest_folder(name) / "configs" / "guests" / f"{name}.toml"
    return {
        "declared": Declaration(layout.display(config)),
        "tools": LANGUAGES[configs.guests[name].language].packages,
        "invalidates": tuple(
            layout.artifacts / fixture / "manifest.json"
            for fixture, declared in configs.fixtures.items()
            if declared.guest.program == name
        ),
    }
