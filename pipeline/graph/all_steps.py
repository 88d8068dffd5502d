"""The steps that the configs declare, as actions in the order in which data flows."""

from __future__ import annotations

from pipeline.execution.action import Action, Declaration
from pipeline.execution.recipe_code import RecipeCodes
from pipeline.graph.fixture_steps import FixtureSteps
from pipeline.graph.guest_steps import WASM_TOOLS, component_steps, guest_steps
from pipeline.graph.layout import Layout
from pipeline.toolchain.environment import make_environment


def all_steps(layout: Layout, codes: RecipeCodes | None = None) -> tuple[Action, ...]:
    """Return every action of every fixture; ``codes`` has the code of their recipes."""
    configs = layout.configs
    codes = codes or RecipeCodes()
    steps: list[Action] = []
    guests = {step.label: step for step in guest_steps(layout, configs)}
    components = {step.label: step for step in component_steps(layout, configs)}
    fixtures = [
        FixtureSteps(
            layout,
            configs,
            codes,
            name,
            guests[fixture.guest.program],
            components[fixture.guest.program] if fixture.guest.component else None,
        )
        for name, fixture in configs.fixtures.items()
    ]
    needed = {toolchain for fixture in fixtures for toolchain in fixture.toolchains()}
    needed |= {WASM_TOOLS} if components else set()
    steps += [_toolchain(layout, name) for name in sorted(needed)]
    steps += [*guests.values(), *components.values()]
    for fixture in fixtures:
        steps += fixture.all()
    return tuple(steps)


def _toolchain(layout: Layout, name: str) -> Action:
    return Action(
        kind="toolchain",
        label=name,
        declared=Declaration(layout.display(layout.lock(name))),
        title="an isolated environment from a hash-locked requirements file",
        recipe=make_environment,
        inputs={"lock": layout.lock(name)},
        outputs={"stamp": layout.stamp(name)},
        parameters={"toolchain": name},
        unkeyed={"environment": layout.environment(name)},
    )
