"""What OpenVINO says of an IR: its inputs and outputs, by reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.model.request import Interface, Port


def read_interface(xml: Path) -> Interface:
    """Read an IR with OpenVINO and return its inputs and outputs.

    Raises PipelineError (MODEL) when it does not load, or when a shape is not fixed.
    """
    import openvino

    try:
        model = openvino.Core().read_model(xml)
    except RuntimeError as error:
        raise PipelineError(
            Code.MODEL,
            f"OpenVINO cannot read {xml.name}.",
            hint="Its xml and bin may not belong together.",
            detail=str(error)[-800:],
        ) from None
    return Interface(
        inputs=tuple(_port(port, xml.name) for port in model.inputs),
        outputs=tuple(_port(port, xml.name) for port in model.outputs),
    )


def _port(port: Any, file: str) -> Port:
    names = tuple(sorted(port.names)) or (port.node.friendly_name,)
    if port.partial_shape.is_dynamic:
        raise PipelineError(
            Code.MODEL,
            f"{names[0]} of {file} has no fixed shape, so its tensor would have no fixed size.",
            found=str(port.partial_shape),
            hint="Give every input of the model its full shape in [model.inputs].",
        )
    return Port(
        name=names[0],
        names=names,
        shape=tuple(port.shape),
        type=port.element_type.get_type_name(),
    )
