"""Read an IR's inputs and outputs with OpenVINO."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipeline.config.model_tables import Model
from pipeline.errors import Code, PipelineError
from pipeline.model.convert.request import CaseShapes, Interface, Port
from pipeline.model.ir.input_aliases import without_alias

# Shapes of a case's inputs, by name.
Shapes = Mapping[str, Sequence[int]]


def read_interface(xml: Path, given: Model, cases: Mapping[str, Shapes] | None = None) -> Interface:
    """Read an IR with OpenVINO and return its ports, with the config's shapes and names.

    ``cases`` are those with other shapes than the model's inputs have. Raises PipelineError (MODEL)
    when it does not load, lacks an input, or a shape does not match or remains dynamic.
    """
    import openvino

    try:
        model = openvino.Core().read_model(xml)
    except RuntimeError as error:
        raise PipelineError(
            Code.MODEL,
            f"OpenVINO cannot read {xml.name}.",
            hint="The xml and bin may not match.",
            detail=str(error)[-800:],
        ) from None
    shapes = {name: each.shape for name, each in given.inputs.items()}
    for each in (shapes, *(cases or {}).values()):
        for name, shape in each.items():
            _check(name, shape, model, xml.stem)
    usual = _reshaped(model, given, shapes, xml.name)
    own = {}
    for case, others in (cases or {}).items():
        ports = _reshaped(model, given, others, f"{xml.name} in case {case!r}")
        own[case] = CaseShapes(
            inputs=tuple(port.shape for port in ports.inputs),
            outputs=tuple(port.shape for port in ports.outputs),
        )
    return msgspec.structs.replace(usual, cases=own)


def _reshaped(model: Any, given: Model, shapes: Shapes, title: str) -> Interface:
    """Return the ports of a model that takes inputs of these shapes."""
    import openvino

    model = model.clone()
    try:
        model.reshape({name: openvino.PartialShape(list(each)) for name, each in shapes.items()})
    except RuntimeError as error:
        raise PipelineError(
            Code.MODEL,
            f"The shapes of the inputs of {title} do not fit together.",
            found=", ".join(f"{name} {'x'.join(map(str, each))}" for name, each in shapes.items()),
            hint="Axes that must be equal, such as the lengths of a cache, need one size.",
            detail=str(error)[-800:],
        ) from None
    return Interface(
        inputs=tuple(
            _port(port, _names(port, index), given.inputs, title)
            for index, port in enumerate(model.inputs)
        ),
        outputs=tuple(_port(port, _names(port), given.outputs, title) for port in model.outputs),
    )


def _check(name: str, shape: Sequence[int], model: Any, title: str) -> None:
    import openvino

    port = next((port for port in model.inputs if name in _names(port)), None)
    if port is None:
        raise PipelineError(
            Code.MODEL,
            f"The model {title} has no input {name!r}.",
            found=", ".join(_names(port, index)[0] for index, port in enumerate(model.inputs)),
            hint="Use one of these names under [model.inputs].",
        )
    if not port.partial_shape.compatible(openvino.PartialShape(list(shape))):
        raise PipelineError(
            Code.MODEL,
            f"Input {name!r} of {title} has a different shape after conversion.",
            expected="x".join(map(str, shape)),
            found=str(port.partial_shape),
        )


def _names(port: Any, index: int | None = None) -> tuple[str, ...]:
    """Return a port's names; an input's alias, which is its index, comes last."""
    own = without_alias(port.names, index)
    return (*(sorted(own) or (port.node.friendly_name,)), *(port.names - own))


def _unsized_from(output: Any) -> Any:
    """Return an operation above an output that has no fixed size though its inputs do, or None."""
    left, seen = [output.node], set()
    while left:
        node = left.pop()
        above = [port.get_source_output() for port in node.inputs()]
        dynamic = [port.get_node() for port in above if port.partial_shape.is_dynamic]
        if above and not dynamic and any(port.partial_shape.is_dynamic for port in node.outputs()):
            return node
        left += [each for each in dynamic if each.friendly_name not in seen]
        seen |= {each.friendly_name for each in dynamic}
    return None


def _port(port: Any, names: tuple[str, ...], expected: Collection[str], file: str) -> Port:
    name = next((name for name in names if name in expected), names[0])
    if port.partial_shape.is_dynamic:
        raise _unsized(name, port, file)
    return Port(
        name=name,
        names=names,
        shape=tuple(port.shape),
        type=port.element_type.get_type_name(),
    )


def _unsized(name: str, port: Any, file: str) -> PipelineError:
    """Return the error of a port without a fixed shape, and of an output where it loses that."""
    cause = _unsized_from(port)
    if cause is None:
        return PipelineError(
            Code.MODEL,
            f"{name} of {file} has a dynamic shape.",
            found=str(port.partial_shape),
            hint="Declare the full shape of every input in [model.inputs].",
        )
    sources = [each.get_source_output() for each in cause.inputs()]
    takes = [
        f"[model.outputs.{json.dumps(_names(source)[0], ensure_ascii=False)}]"
        for source in sources
        if source.get_node().get_type_name() not in ("Constant", "Parameter")
    ]
    hint = "Convert a model without it."
    if takes:
        hint = f"Cut the model before it: {' '.join(takes)}."
    return PipelineError(
        Code.MODEL,
        f"The size of output {name} of {file} depends on the values of the inputs.",
        expected="outputs of fixed size",
        found=f"{port.partial_shape}, from {cause.get_type_name()} {cause.friendly_name!r}",
        hint=hint,
    )
