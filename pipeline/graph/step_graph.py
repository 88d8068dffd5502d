"""What the configs say: every step, what it needs, and which ones a name means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.config.load_project import Configs
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action
from pipeline.execution.recipe_code import RecipeCodes
from pipeline.graph.all_steps import all_steps
from pipeline.graph.layout import Layout
from pipeline.publish.release.stale_files import drop_stale, note_published


class StepGraph:
    """What the configs say: the steps by name, where they keep things, who makes which file.

    ``codes`` has the code of their recipes.
    """

    def __init__(self, configs: Configs, codes: RecipeCodes | None = None) -> None:
        self.configs = configs
        self.codes = codes or RecipeCodes()
        self.layout = Layout(configs)
        actions = all_steps(configs, self.codes)
        self.steps: Mapping[str, Action] = {action.name: action for action in actions}
        self._makers = {
            path: action.name for action in self.steps.values() for path in _made(action)
        }

    def default(self) -> list[str]:
        """Return the tasks of a plain run."""
        built = [(name, each) for name, each in self.configs.fixtures.items() if each.default]
        return [f"manifest:{name}" for name, _ in built] + [
            f"{'accuracy' if dataset.accuracy else 'dataset'}:{name}.{label}"
            for name, fixture in built
            for label, dataset in fixture.dataset.items()
        ]

    def needed(self, action: Action) -> list[str]:
        """Return the steps that come before this one."""
        makers = self._makers
        made_by = {makers[path] for path in action.inputs.values() if path in makers}
        return sorted(made_by | set(action.after))

    def evidence(self) -> dict[str, Path]:
        """Return where each verification keeps its report, by the name of its step."""
        reports = {}
        for name, action in self.steps.items():
            if name.startswith("verify:"):
                reports[name] = action.outputs["evidence/"] / "report.json"
            elif name.startswith("accuracy:"):
                reports[name] = action.outputs["report"]
        return reports

    def shown(self, action: Action) -> list[str]:
        """Return the targets as doit lists them."""
        root = self.configs.root
        return [
            str(path.relative_to(root) if path.is_relative_to(root) else path)
            for path in action.outputs.values()
        ]

    def selected(self, names: Sequence[str]) -> list[Action]:
        """Return the named steps and all that they need, in the order in which data flows.

        A name may be a step, a kind (``ir``), a fixture, or a pattern with ``*``; none stands for
        what a plain run builds. Raises PipelineError (USAGE).
        """
        steps = self.steps
        wanted = set(self.named(names)) if names else set(self.default())
        for name in reversed(list(steps)):
            if name in wanted:
                wanted.update(self.needed(steps[name]))
        return [action for name, action in steps.items() if name in wanted]

    def named(self, names: Sequence[str]) -> list[str]:
        """Return the steps that are meant, without what they need; raises PipelineError."""
        steps = self.steps
        found = {step for name in names for step in _matching(name, steps)}
        return [step for step in steps if step in found]

    def note_published(self, action: Action) -> None:
        """Note what a step puts into a fixture's folder; before the manifest, drop the rest.

        All of it before the step itself: of a step that has ended, nothing is left to be done.
        """
        kind, _, rest = action.name.partition(":")
        fixture = rest.partition(".")[0]
        folder = self.layout.artifacts / fixture
        memory = self.layout.step(fixture, "published")

        def inside(action: Action) -> list[Path]:
            return [path for path in action.outputs.values() if path.is_relative_to(folder)]

        if published := inside(action):
            note_published(folder, published, memory)
        if kind == "manifest":
            drop_stale(folder, [p for a in self.steps.values() for p in inside(a)], memory)


def _matching(name: str, steps: Mapping[str, Action]) -> set[str]:
    found = {
        step
        for step in steps
        if fnmatchcase(step, name)
        or step.partition(":")[0] == name
        or step.partition(":")[2].partition(".")[0] == name
    }
    if not found:
        close = get_close_matches(name, steps, n=3)
        raise PipelineError(
            Code.USAGE,
            f"There is no step {name!r}.",
            hint=f"Did you mean {', '.join(close)}?" if close else "`doit list --all` names them.",
        )
    return found


def _made(action: Action) -> Iterator[Path]:
    for label, path in action.outputs.items():
        yield path / "report.json" if label == "evidence/" else path
