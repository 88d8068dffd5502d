"""The steps of one fixture, in the order in which data flows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.config.case_rules import file_parts
from pipeline.config.case_shapes import shape_of
from pipeline.config.load_project import Configs
from pipeline.config.schema import Fixture, Source
from pipeline.config.source_rules import local_path, named_sources
from pipeline.config.tensor_tables import Tensor, sources_of
from pipeline.execution.action import Action, Isolation
from pipeline.execution.key_parts import static_parts
from pipeline.execution.recipe_code import RecipeCodes
from pipeline.graph.dataset_steps import DatasetSteps
from pipeline.graph.guest_steps import WASM_TOOLS
from pipeline.graph.layout import Layout
from pipeline.graph.model_steps import ModelSteps
from pipeline.graph.parameters import to_parameters as _plain
from pipeline.graph.source_locations import fixture_table, shared_table
from pipeline.graph.tools import tool
from pipeline.publish.release.derived_files import DERIVED_FILES, FOUND
from pipeline.publish.release.manifest import write_manifest
from pipeline.source.fetch_source import fetch_source
from pipeline.tensor.make_tensor import make_tensor
from pipeline.tensor.spec import TensorSpec, file_name
from pipeline.verify.descriptor import describe
from pipeline.verify.executors import EXECUTORS
from pipeline.verify.expected_array import expected_files
from pipeline.verify.verify_case import verify

_TOOLS = ("openvino", "numpy", "pillow", "opencv-python-headless", "wasmtime")
_TENSOR_SECONDS = 120.0
# Beyond the guest's own limit: the native run, the golden run, and starting a worker.
_VERIFY_SLACK_SECONDS = 300.0


class FixtureSteps:
    """The steps of one fixture, or of one variant, which has no sources of its own."""

    def __init__(
        self,
        layout: Layout,
        configs: Configs,
        codes: RecipeCodes,
        name: str,
        guest: Action,
        component: Action | None = None,
    ) -> None:
        fixture = configs.fixtures[name]
        # A variant uses its sources.
        whole = configs.variant_of.get(name, name)
        self._layout = layout
        self._configs = configs
        self._codes = codes
        self._name = name
        self._whole = whole
        self._fixture = fixture
        self._guest = guest
        self._component = component
        self._folder = layout.artifacts / name
        self._manifest = self._folder / "manifest.json"
        self._ir = layout.ir(name, fixture.model)
        self._interface = layout.step(name, "interface.json")
        executor = EXECUTORS[fixture.golden.executor]
        self._executor = tool("executor", executor.toolchain, executor.package)
        self._sources = {
            label: layout.source(whole, label, source) for label, source in fixture.source.items()
        }
        self._model = ModelSteps(layout, configs, name, self._sources)
        self._tensors = {
            case: {given: self._folder / self._tensor_name(case, given) for given in inputs}
            for case, inputs in fixture.tensor.items()
        }
        # What the outputs are compared with, by case: the source, and the file of the folder.
        self._expected = {
            case: {
                kind: (self._sources[getattr(expect, kind).source], self._folder / file)
                for kind, file in expected_files(case, expect).items()
            }
            for case, expect in fixture.expect.items()
        }

    def toolchains(self) -> set[str]:
        """Return the locked environments that the steps need."""
        tools = (*self._model.tools, self._executor)
        found = {tool.toolchain for tool in tools if tool.toolchain}
        return found | ({WASM_TOOLS} if self._component else set())

    def all(self) -> list[Action]:
        """Return them in the order in which data flows."""
        return [
            *self._fetched(),
            *self._made(),
            *(self._verify(case) for case in self._fixture.tensor),
            self._publish(),
            *(step for name in self._fixture.dataset for step in self._dataset(name)),
        ]

    def _made(self) -> list[Action]:
        """Return the steps that make the files of the folder."""
        return [
            *self._model.all(),
            *(
                self._tensor(case, given, tensor, self._tensors[case][given])
                for case, inputs in self._fixture.tensor.items()
                for given, tensor in inputs.items()
            ),
            *(
                replace(
                    self._tensor(case, given, tensor, self._model.calibration[case][given]),
                    declared=fixture_table(self._configs, self._name, "calibration", case, given),
                )
                for case, inputs in self._fixture.calibration.items()
                for given, tensor in inputs.items()
            ),
            self._descriptor(),
        ]

    def _dataset(self, name: str) -> list[Action]:
        return DatasetSteps(self._layout, self._configs, self._name, name, self._sources).all()

    def _fetched(self) -> list[Action]:
        if self._name != self._whole:
            return []
        return [self._source(label, source) for label, source in self._fixture.source.items()]

    def _source(self, label: str, source: Source) -> Action:
        urls = source.urls
        local = local_path(source)
        unpinned = not (source.sha256 or source.sha384 or source.sha1)
        file = None if local is None else self._layout.root / local
        return Action(
            kind="source",
            label=f"{self._name}.{label}",
            fixture=self._name,
            declared=fixture_table(self._configs, self._name, "source", label),
            title=f"{urls[0]}",
            recipe=fetch_source,
            # An edited file is not the one with the digest; if absent, the cache may have it.
            inputs={"file": file} if file and (unpinned or file.is_file()) else {},
            outputs={"file": self._sources[label]},
            parameters={
                "name": f"{self._name}.{label}",
                "sha256": source.sha256,
                "sha384": source.sha384,
                "sha1": source.sha1,
                "size": source.size,
            },
            unkeyed={
                "urls": urls,
                "downloads": self._layout.cache / "downloads",
                "offline": self._configs.project.offline,
                "root": self._layout.root,
            },
            invalidates=tuple(
                self._layout.artifacts / name / "manifest.json"
                for name in (self._name, *self._configs.variant_of)
                if self._configs.variant_of.get(name, name) == self._name
                and label in _used(self._configs.fixtures[name])
            ),
        )

    def _tensor(self, case: str, given: str, tensor: Tensor, target: Path) -> Action:
        several = len(self._fixture.model.inputs) > 1
        return Action(
            kind="tensor",
            label=f"{self._name}.{case}" + (f".{given}" if several else ""),
            fixture=self._name,
            case=case,
            declared=shared_table(self._configs, self._name, "tensor", case, given),
            title=target.name,
            recipe=make_tensor,
            inputs={
                ".".join(path).removesuffix(".source"): self._sources[name]
                for path, name in sources_of(tensor).items()
            },
            outputs={"tensor": target},
            parameters={
                "dims": list(shape_of(tensor, self._fixture.model.inputs[given])),
                "tensor": _plain(tensor),
            },
            # Not part of the key: two fixtures with the same tensor make it once.
            unkeyed={"name": f"{self._name}: tensor.{case}.{given}"},
            tools=_tensor_tools(tensor),
            isolation=Isolation.WORKER,
            seconds=_TENSOR_SECONDS,
            invalidates=(self._manifest,),
        )

    def _descriptor(self) -> Action:
        built = {"guest": self._guest.outputs["wasm"]}
        if self._component is not None:
            built["component"] = self._component.outputs["wasm"]
        expected = self._expected_pairs()
        return Action(
            kind="fixture",
            label=self._name,
            fixture=self._name,
            declared=fixture_table(self._configs, self._name),
            title="fixture.txt, and the guest beside it",
            recipe=describe,
            inputs={
                "interface": self._interface,
                **built,
                **{label: source for label, (source, _) in expected.items()},
            },
            outputs={
                "descriptor": self._folder / "fixture.txt",
                **{label: self._folder / path.name for label, path in built.items()},
                **{label: target for label, (_, target) in expected.items()},
            },
            parameters={
                "files": [path.name for path in self._ir.values()],
                "cases": {
                    case: {given: path.name for given, path in inputs.items()}
                    for case, inputs in self._tensors.items()
                },
            },
            invalidates=(self._manifest,),
        )

    def _verify(self, case: str) -> Action:
        fixture = self._fixture
        expect = fixture.expect[case]
        evidence = self._layout.evidence(self._name, case)
        files = {label: self._sources[name] for label, name in fixture.golden.files.items()}
        inputs = {
            **self._published(),
            **{f"tensor.{given}": path for given, path in self._tensors[case].items()},
            **{f"expected.{kind}": path for kind, (_, path) in self._expected[case].items()},
            **{f"golden.{label}": path for label, path in (files or self._model.files).items()},
            "interface": self._interface,
            **self._executor.inputs(self._layout),
        }
        pictures = {given: tensor for given, tensor in fixture.tensor[case].items() if tensor.image}
        inputs |= {
            f"picture.{given}": self._sources[str(tensor.image)]
            for given, tensor in pictures.items()
        }
        if expect.labels:
            inputs["labels"] = self._sources[expect.labels]
        return Action(
            kind="verify",
            label=f"{self._name}.{case}",
            fixture=self._name,
            case=case,
            declared=fixture_table(self._configs, self._name, "expect", case),
            evidence=evidence,
            title="sandbox = native, agrees with the source framework, meets the expectation",
            recipe=verify,
            inputs=inputs,
            outputs={"evidence/": evidence.parent},
            parameters={
                "case": case,
                "where": f"{self._name}: {case}",
                "guest": _plain(fixture.guest),
                "golden": _plain(fixture.golden),
                "model": _plain(fixture.model),
                "expect": _plain(expect),
                "pictures": {given: _plain(tensor) for given, tensor in pictures.items()},
            },
            unkeyed=self._executor.unkeyed(self._layout),
            tools=("openvino", "wasmtime", "numpy", *self._executor.packages),
            isolation=Isolation.WORKER,
            seconds=(3 if self._component else 2) * fixture.guest.seconds + _VERIFY_SLACK_SECONDS,
            invalidates=(self._manifest,),
        )

    def _publish(self) -> Action:
        fixture = self._fixture
        program = fixture.guest.program
        published = {
            **self._published(),
            "alias.xml": self._folder / "model.xml",
            "alias.bin": self._folder / "model.bin",
            **{
                f"tensor.{case}.{given}": path
                for case, inputs in self._tensors.items()
                for given, path in inputs.items()
            },
            **{label: path for label, (_, path) in self._expected_pairs().items()},
        }
        inputs = {f"file.{path.name}": path for path in published.values()}
        used = _used(fixture)
        inputs |= {f"source.{label}": self._sources[label] for label in sorted(used)}
        inputs |= {
            f"evidence.{case}": self._layout.evidence(self._name, case) for case in fixture.tensor
        }
        inputs["interface"] = self._interface
        inputs |= self._model.evidence
        guests = [self._guest, *([self._component] if self._component else [])]
        inputs |= {
            "imports" if each.kind == "guest" else f"imports.{each.kind}": each.outputs["imports"]
            for each in guests
        }
        inputs |= {f"toolchain.{name}": self._layout.stamp(name) for name in self.toolchains()}
        tensors = {
            case: {
                given: {
                    "file": self._tensors[case][given].name,
                    "dims": list(shape_of(tensor, fixture.model.inputs[given])),
                    **_plain(tensor),
                }
                for given, tensor in cases.items()
            }
            for case, cases in fixture.tensor.items()
        }
        steps = [*guests, *self._made()]
        inputs |= {
            f"step.{step.name}.{label}": path
            for step in steps
            for label, path in step.inputs.items()
        }
        guest = self._configs.guests[program]
        tools = tuple(dict.fromkeys((*_TOOLS, *(tool for each in steps for tool in each.tools))))
        return Action(
            kind="manifest",
            label=self._name,
            fixture=self._name,
            declared=fixture_table(self._configs, self._name),
            title="manifest.json, once all of its cases are verified",
            recipe=write_manifest,
            inputs=inputs,
            outputs={
                "manifest": self._manifest,
                **{name: self._folder / name for name in sorted({*DERIVED_FILES, FOUND})},
            },
            parameters={
                "tools": list(tools),
                "steps": {
                    step.name: _step_facts(step, self._codes, self._folder) for step in steps
                },
                "declared": {
                    "name": self._name,
                    "description": fixture.description,
                    "sources": {
                        name: _plain(source)
                        for name, source in fixture.source.items()
                        if name in used
                    },
                    "model": _plain(fixture.model),
                    "tensors": tensors,
                    "guest": {"language": guest.language, **_plain(fixture.guest)},
                    "golden": _plain(fixture.golden),
                    "expect": {case: _plain(expect) for case, expect in fixture.expect.items()},
                },
            },
            tools=tools,
        )

    def _published(self) -> dict[str, Path]:
        guests = {"guest": self._guest, "component": self._component}
        return {
            **self._ir,
            **{
                label: self._folder / step.outputs["wasm"].name
                for label, step in guests.items()
                if step is not None
            },
            "descriptor": self._folder / "fixture.txt",
        }

    def _expected_pairs(self) -> dict[str, tuple[Path, Path]]:
        return {
            f"expected.{case}.{kind}": pair
            for case, kinds in self._expected.items()
            for kind, pair in kinds.items()
        }

    def _tensor_name(self, case: str, given: str) -> str:
        tensor = self._fixture.tensor[case][given]
        inputs = self._fixture.model.inputs
        spec = TensorSpec.of(tensor, shape_of(tensor, inputs[given]))
        # A fixture's only tensor is `tensor-…`, as the field has always named it.
        alone = len(self._fixture.tensor) == 1 and len(inputs) == 1
        part = file_parts(inputs)[given] if len(inputs) > 1 else None
        return file_name(spec, None if alone else case, part)


def _tensor_tools(tensor: Tensor) -> tuple[str, ...]:
    if tensor.image:
        return ("numpy", "pillow", "opencv-python-headless")
    tokenizes = tensor.text is not None and tensor.text.tokenizer is not None
    return ("numpy", "tokenizers") if tokenizes else ("numpy",)


def _step_facts(step: Action, codes: RecipeCodes, folder: Path) -> dict[str, object]:
    """Return what a manifest states of a step, with the parts of its key."""
    made = sorted(path.name for path in step.outputs.values() if path.parent == folder)
    return {**static_parts(step, codes), "inputs": list(step.inputs), "files": made}


def _used(fixture: Fixture) -> set[str]:
    return {source for _, source in named_sources(fixture)}
