"""The steps that make a fixture's IR: weights from a seed, conversion, quantisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import structs

from pipeline.config.case_shapes import own_shapes
from pipeline.config.load_project import Configs
from pipeline.config.model_tables import QUANTISED
from pipeline.execution.action import Action, Isolation
from pipeline.graph.layout import Layout
from pipeline.graph.parameters import to_parameters
from pipeline.graph.source_locations import fixture_table
from pipeline.graph.tools import Tool, tool
from pipeline.model.caffe.seeded_weights import draw_weights
from pipeline.model.convert.make_ir import TOOLCHAINS, convert
from pipeline.model.convert.quantise import quantise

_SECONDS = 900.0


class ModelSteps:
    """The steps of a fixture's model.

    A variant shares the seeded weights of its fixture, and quantises the IR of that if it is of
    f32; else it has one of its own.
    """

    def __init__(
        self, layout: Layout, configs: Configs, name: str, sources: Mapping[str, Path]
    ) -> None:
        fixture = configs.fixtures[name]
        whole = configs.variant_of.get(name, name)
        of_whole = configs.fixtures[whole].model
        self._layout = layout
        self._name = name
        self._declared = fixture_table(configs, name, "model")
        self._whole = whole
        self._shares = whole != name and of_whole.precision == "f32"
        self._model = fixture.model
        # Part of a step's key only where there are any.
        cases = own_shapes(fixture.model, fixture.tensor)
        self._cases = {"cases": cases} if cases else {}
        self._folder = layout.artifacts / name
        self._manifest = self._folder / "manifest.json"
        self._converter = tool("converter", TOOLCHAINS.get(fixture.model.framework))
        self._quantiser = tool("quantiser", "nncf")
        self.files = {label: sources[source] for label, source in fixture.model.files.items()}
        if self._draws:
            self.files["weights"] = layout.step(whole, f"{whole}.caffemodel")
        self.calibration = {
            case: {
                given: layout.step(name, f"calibration/{case}.{place}.raw")
                for place, given in enumerate(inputs)
            }
            for case, inputs in fixture.calibration.items()
        }

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Return the tools that the steps need."""
        return (self._converter, self._quantiser) if self._quantised else (self._converter,)

    @property
    def evidence(self) -> Mapping[str, Path]:
        """Return the measurements of these steps, for the manifest."""
        if not self._quantised:
            return {}
        return {"quantisation": self._layout.step(self._name, "quantisation.json")}

    def all(self) -> list[Action]:
        """Return them in the order in which data flows."""
        if not self._quantised:
            return [*self._weights(), self._ir()]
        return [*self._weights(), *([] if self._shares else [self._ir()]), self._quantisation()]

    @property
    def _draws(self) -> bool:
        """Whether a step draws the weights; a PyTorch module draws its own when it is loaded."""
        return self._model.seed is not None and self._model.framework == "caffe"

    @property
    def _quantised(self) -> bool:
        return self._model.precision in QUANTISED

    def _published(self) -> dict[str, Path]:
        return {
            **self._layout.ir(self._name, self._model),
            "alias.xml": self._folder / "model.xml",
            "alias.bin": self._folder / "model.bin",
            "interface": self._layout.step(self._name, "interface.json"),
        }

    def _exact(self) -> Mapping[str, Path]:
        """Return the IR of f32 that is quantised; if it is published, another fixture does that."""
        if self._shares:
            return self._layout.ir(self._whole, self._model)
        place = self._layout.step(self._name, "f32")
        return {
            "xml": place / f"{self._name}.xml",
            "bin": place / f"{self._name}.bin",
            "interface": place / "interface.json",
        }

    def _weights(self) -> list[Action]:
        model = self._model
        if not self._draws or self._name != self._whole:
            return []
        action = Action(
            kind="weights",
            label=self._name,
            fixture=self._name,
            declared=self._declared,
            title=f"weights from the seed {model.seed}",
            recipe=draw_weights,
            inputs={"topology": self.files["topology"]},
            outputs={"weights": self.files["weights"]},
            parameters={"name": self._name, "seed": model.seed},
            tools=("numpy",),
            isolation=Isolation.WORKER,
            invalidates=(self._manifest,),
        )
        return [action]

    def _ir(self) -> Action:
        model = self._model
        precision: Literal["f32", "f16"] = "f16" if model.precision == "f16" else "f32"
        return Action(
            kind="ir",
            label=self._name,
            fixture=self._name,
            declared=self._declared,
            title=f"{model.framework} to OpenVINO IR, {precision}",
            recipe=convert,
            inputs={
                **self.files,
                **self._converter.inputs(self._layout),
            },
            outputs=self._exact() if self._quantised else self._published(),
            # The accepted loss of quantisation does not affect this step.
            parameters={
                "name": self._name,
                "model": to_parameters(
                    structs.replace(model, precision=precision, loss=None, group_size=None)
                ),
                "seconds": _SECONDS,
                **self._cases,
            },
            unkeyed=self._converter.unkeyed(self._layout),
            tools=("openvino", *self._converter.packages),
            isolation=Isolation.WORKER,
            seconds=_SECONDS + 60,
            invalidates=(self._manifest,),
        )

    def _quantisation(self) -> Action:
        exact, precision = self._exact(), self._model.precision
        how = "weights of 4 bits, measured" if precision == "int4" else "calibrated"
        tensors = {
            f"calibration.{number}.{given}": path
            for number, inputs in enumerate(self.calibration.values())
            for given, path in inputs.items()
        }
        return Action(
            kind=precision,
            label=self._name,
            fixture=self._name,
            declared=self._declared,
            title=f"quantised by NNCF, {how} with {len(self.calibration)} tensors",
            recipe=quantise,
            inputs={
                "f32.xml": exact["xml"],
                "f32.bin": exact["bin"],
                **tensors,
                **self._quantiser.inputs(self._layout),
            },
            outputs={
                **self._published(),
                "quantisation": self._layout.step(self._name, "quantisation.json"),
            },
            parameters={
                "name": self._name,
                "model": to_parameters(self._model),
                "seconds": _SECONDS,
                **self._cases,
            },
            unkeyed=self._quantiser.unkeyed(self._layout),
            tools=("openvino",),
            isolation=Isolation.WORKER,
            seconds=_SECONDS + 60,
            invalidates=(self._manifest,),
        )
