"""The steps that compile the guests, each by the compiler of its language."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.load_project import Configs
from pipeline.execution.action import Action, Declaration
from pipeline.graph.layout import Layout
from pipeline.guest.build import compile_guest
from pipeline.guest.languages import LANGUAGES

_PINNED = ("sha256", "sha384", "sha1", "size")


def guest_steps(layout: Layout, configs: Configs) -> Iterator[Action]:
    """Yield the step of each guest."""
    manifests = {name: layout.artifacts / name / "manifest.json" for name in configs.fixtures}
    for name, guest in configs.guests.items():
        files = {"source": guest.sources, "header": guest.headers}
        language = LANGUAGES[guest.language]
        yield Action(
            kind="guest",
            label=name,
            declared=Declaration(f"configs/guests/{name}.toml"),
            title=guest.description,
            recipe=compile_guest,
            inputs={
                f"{kind}.{number}": layout.root / path
                for kind, paths in files.items()
                for number, path in enumerate(paths)
            }
            | {f"compiler.{label}": path for label, path in language.compiler().items()},
            outputs={
                "wasm": layout.step("guests", f"{name}.wasm"),
                "imports": layout.step("guests", f"{name}.imports.json"),
            },
            parameters={
                "language": guest.language,
                "modules": list(guest.imports),
                "seconds": guest.seconds,
                "compiler": {
                    label: {key: getattr(source, key) for key in _PINNED}
                    for label, source in guest.compiler.items()
                },
            },
            unkeyed={
                "kept": layout.toolchains,
                "urls": {label: source.urls for label, source in guest.compiler.items()},
                "downloads": layout.cache / "downloads",
                "offline": layout.offline,
                "root": layout.root,
            },
            tools=language.packages,
            invalidates=tuple(
                path
                for fixture, path in manifests.items()
                if configs.fixtures[fixture].guest.program == name
            ),
        )
