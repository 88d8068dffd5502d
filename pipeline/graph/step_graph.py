"""What the configs say: every step, what it needs, and which ones a name means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
        actions = all_steps(self.layout, self.codes)
        self.steps: Mapping[str, Action] = {action.name: action for action in actions}
        self._makers = {path: action.name for action in actions for path in action.written}
        # Shards have a case in common; nobody asks for one of them.
        self._found = {(each.kind, each.fixture, each.case): each for each in actions}

    def step(self, kind: str, fixture: str, case: str = "") -> Action:
        """Return the step of a kind that a fixture has once, or once for each case or dataset."""
        return self._found[kind, fixture, case]

    def of_kind(self, kind: str) -> list[Action]:
        """Return the steps of a kind, in the order in which data flows."""
        return [action for action in self.steps.values() if action.kind == kind]

    def default(self) -> list[str]:
        """Return the tasks of a plain run."""
        built = [(name, each) for name, each in self.configs.fixtures.items() if each.default]
        last = [("manifest", name, "") for name, _ in built] + [
            ("accuracy" if dataset.accuracy else "dataset", name, label)
            for name, fixture in built
            for label, dataset in fixture.dataset.items()
        ]
        return [self._found[each].name for each in last if each in self._found]

    def needed(self, action: Action) -> list[str]:
        """Return the steps that come before this one."""
        makers = self._makers
        made_by = {makers[path] for path in action.inputs.values() if path in makers}
        return sorted(made_by | set(action.after))

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
        return self.with_needed(self.named(names) if names else self.default())

    def with_needed(self, names: Iterable[str]) -> list[Action]:
        """Return steps and all that they need, in the order in which data flows."""
        wanted = set(names)
        for name, action in reversed(list(self.steps.items())):
            if name in wanted:
                wanted.update(self.needed(action))
        return [action for name, action in self.steps.items() if name in wanted]

    def named(self, names: Sequence[str]) -> list[str]:
        """Return the steps that are meant, without what they need; raises PipelineError."""
        found = {step for name in names for step in self._matching(name)}
        return [step for step in self.steps if step in found]

    def manifests(self, fixtures: Sequence[str]) -> list[Action]:
        """Return the steps that write the manifests of the fixtures that are meant.

        A name may be a pattern with ``*``; none stands for the fixtures of a plain run. Raises
        PipelineError (USAGE).
        """
        every = self.of_kind("manifest")
        if not fixtures:
            default = set(self.default())
            return [action for action in every if action.name in default]
        for name in fixtures:
            if not any(fnmatchcase(action.fixture, name) for action in every):
                raise _unknown("fixture", name, [action.fixture for action in every])
        return [each for each in every if any(fnmatchcase(each.fixture, n) for n in fixtures)]

    def note_published(self, action: Action) -> None:
        """Note what a step puts into a fixture's folder; before the manifest, drop the rest.

        All of it before the step itself: of a step that has ended, nothing is left to be done.
        """
        if not action.fixture:
            return
        self.layout.claim_artifacts()
        folder = self.layout.artifacts / action.fixture
        memory = self.layout.step(action.fixture, "published")

        def inside(action: Action) -> list[Path]:
            return [path for path in action.outputs.values() if path.is_relative_to(folder)]

        if published := inside(action):
            note_published(folder, published, memory)
        if action.kind == "manifest":
            drop_stale(folder, [p for a in self.steps.values() for p in inside(a)], memory)

    def _matching(self, name: str) -> set[str]:
        found = {
            step
            for step, action in self.steps.items()
            if fnmatchcase(step, name) or name in (action.kind, action.subject)
        }
        if not found:
            raise _unknown("step", name, self.steps)
        return found


def _unknown(what: str, name: str, known: Iterable[str]) -> PipelineError:
    close = get_close_matches(name, known, n=3)
    hint = "`doit list --all` lists all steps."
    return PipelineError(
        Code.USAGE,
        f"There is no {what} {name!r}.",
        hint=f"Did you mean {', '.join(close)}?" if close else hint,
    )
