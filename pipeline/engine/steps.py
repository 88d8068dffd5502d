"""The steps that the configs ask for, as actions in the order in which data flows."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.load import Configs
from pipeline.engine.fixture_steps import FixtureSteps
from pipeline.engine.layout import Layout
from pipeline.guest.build import compile_guest
from pipeline.guest.languages import LANGUAGES
from pipeline.toolchain.locked import make_environment
from pipeline.work.action import Action


def all_steps(configs: Configs) -> tuple[Action, ...]:
    """Return every action of every fixture."""
    layout = Layout(configs)
    steps: list[Action] = []
    fixtures = [FixtureSteps(layout, configs, name) for name in configs.fixtures]
    needed = {toolchain for fixture in fixtures for toolchain in fixture.toolchains()}
    steps += [_toolchain(layout, name) for name in sorted(needed)]
    steps += _guests(layout, configs)
    for fixture in fixtures:
        steps += fixture.all()
    return tuple(steps)


def _toolchain(layout: Layout, name: str) -> Action:
    return Action(
        name=f"toolchain:{name}",
        title="an isolated environment from a hash-locked requirements file",
        recipe=make_environment,
        version=1,
        inputs={"lock": layout.lock(name)},
        outputs={"stamp": layout.stamp(name)},
        parameters={"toolchain": name},
        means={"environment": layout.environment(name)},
    )


def _guests(layout: Layout, configs: Configs) -> Iterator[Action]:
    vouchers = {name: layout.artifacts / name / "manifest.json" for name in configs.fixtures}
    for name, guest in configs.guests.items():
        files = {"source": guest.sources, "header": guest.headers}
        language = LANGUAGES[guest.language]
        yield Action(
            name=f"guest:{name}",
            title=guest.description,
            recipe=compile_guest,
            version=1,
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
            },
            means={"kept": layout.toolchains},
            tools=language.packages,
            withdraws=tuple(
                path
                for fixture, path in vouchers.items()
                if configs.fixtures[fixture].guest.program == name
            ),
        )
