"""Turn a converter's output into one error: unsupported operation, damaged file, wrong shape."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.errors import Code, PipelineError
from pipeline.execution.process import Finished
from pipeline.model.convert.request import Request

_LACKS = (
    re.compile(r"No conversion rule found for operations?: *(?P<names>[^\n]+)"),
    re.compile(r'Found custom layer "(?P<names>[^"]+)"'),
    re.compile(r"unsupported type <(?P<names>[^>]+)>"),
    re.compile(r"No translator found for (?P<names>\S+) node"),
    re.compile(r"Operation '(?P<names>[^']+)' not supported"),
)
# The TFLite front end's, for element types that it does not have; of newer ones, without a name.
_NO_TYPE = re.compile(r"type_map\.end\(\)(?:.|\n)*Unexpected type: ?(?P<name>\w*)")
_DAMAGED = re.compile(
    r"can't be parsed|is corrupted or malformed|Unexpected end of|Error parsing"
    r"|Cannot recognize input model|is not able to parse|Invalid NDArray file format"
    r"|wasn't successfully read|PytorchStreamReader failed"
)
# protobuf's text format, with the line and column in the prototxt.
_FIELD = re.compile(r"Exception message: (?P<line>\d+):\d+ : (?P<what>(?:'.*': )?[^\n]+)")
_FIELD_NAME = re.compile(
    r'"(?:\w+\.)*(?P<owner>\w+)" has no (?P<kind>field|value) named "(?P<name>[^"]*)"'
)
_NO_NODE = re.compile(r"No node with name (?P<name>\S+)")
# The failing node, in Model Optimizer's or OpenVINO's output; the latter's last line is the reason.
_SHAPES = (
    re.compile(r'Cannot infer shapes or values for node "(?P<node>[^"]+)"'),
    re.compile(r"While validating node '(?P<node>\S+)(?:.|\n)*friendly_name '[^\n]*\n(?P<why>.+)"),
)
_WHY = re.compile(r"\[ ERROR \] +(?P<why>(?!Cannot infer|It can happen|Or because|Run )\S[^\n]*)")
# Deprecation notices that Model Optimizer prints in every run.
_NOISE = re.compile(
    r"\[ INFO \]|OpenVINO Model Converter|docs\.openvino\.ai|FAQ|software\.intel\.com"
    r"|^WARNING: All log messages|text_format\.cc|Warning: |^ *warnings\.warn\(|^\[ ERROR \]\s*$"
    r"|It can happen due to bug|Or because |Run Model Optimizer with"
)


def converter_error(
    request: Request, converter: str, finished: Finished, inputs: Sequence[str] = ()
) -> PipelineError:
    """Return the error for a failed conversion; ``inputs`` are the model's, if known."""
    lines = [line for line in finished.last_lines(40).splitlines() if not _NOISE.search(line)]
    return (
        _unsupported_operation(request, converter, finished.output, lines)
        or _unsupported_type_error(request, converter, finished.output)
        or _unknown_name(request, finished.output, inputs)
        or _unknown_field(request, finished.output)
        or _damaged(request, finished.output, lines)
        or _shape_error(request, finished.output)
        or _other_error(request, converter, finished, lines)
    )


def _unsupported_operation(
    request: Request, converter: str, output: str, lines: Sequence[str]
) -> PipelineError | None:
    for pattern in _LACKS:
        if missing := pattern.search(output):
            return PipelineError(
                Code.MODEL,
                f"{request.name} has an operation that {converter} cannot convert.",
                where=_files(request),
                found=_with_type(request, missing["names"].strip()),
                hint="Cut the model before it with [model.outputs], or export it without it.",
                detail="\n".join(lines[-6:]),
            )
    return None


def _unsupported_type_error(request: Request, converter: str, output: str) -> PipelineError | None:
    if not (missing := unsupported_type(output)):
        return None
    return PipelineError(
        Code.MODEL,
        f"{request.name} has a tensor of an element type that {converter} cannot convert.",
        where=_files(request),
        found=missing,
        hint="Export the model with another type, such as FLOAT32.",
    )


def unsupported_type(output: str) -> str:
    """Return the element type that OpenVINO's output says it lacks, or ''."""
    missing = _NO_TYPE.search(output)
    return (missing["name"] or "one that is newer than OpenVINO") if missing else ""


def _with_type(request: Request, name: str) -> str:
    """Return the unsupported operation; for Caffe add the layer's type from the topology."""
    from pipeline.model.caffe.prototxt import read_prototxt

    if request.model.framework != "caffe":
        return name
    layers = read_prototxt(request.files["topology"]).messages("layer")
    kind = next((layer.text("type") for layer in layers if layer.text("name") == name), "")
    return f"{kind}, the layer {name}" if kind else name


def _unknown_name(request: Request, output: str, inputs: Sequence[str]) -> PipelineError | None:
    if not (missing := _NO_NODE.search(output)):
        return None
    there = f"; it has: {', '.join(sorted(inputs))}" if inputs else ""
    hint = "Correct [model] in the config, or --input."
    if request.model.framework == "kaldi":
        hint = "Kaldi inputs have no names: omit the name in --input."
    return PipelineError(
        Code.MODEL,
        f"{request.name} has no input or layer with this name.",
        where=_files(request),
        found=f"no {missing['name']!r}{there}",
        hint=hint,
    )


def _unknown_field(request: Request, output: str) -> PipelineError | None:
    """Return the error for a field or value of a prototxt that Model Optimizer does not know."""
    if request.model.framework != "caffe" or not (failed := _FIELD.search(output)):
        return None
    named = _FIELD_NAME.search(failed["what"])
    found = f"the {named['kind']} {named['name']} of {named['owner']}" if named else failed["what"]
    hint = "Write the topology with the fields of BVLC Caffe."
    if named and named["name"] == "round_mode":
        hint = "Write ceil_mode: false instead of round_mode: FLOOR."
    elif named and named["owner"] == "LayerType":
        hint = "Rename 'layers' to 'layer' in the whole topology, with types in quotes."
    return PipelineError(
        Code.MODEL,
        "Model Optimizer does not support a field of the topology.",
        where=f"{request.files['topology'].name}:{failed['line']}",
        found=found[:300],
        hint=hint,
    )


def _damaged(request: Request, output: str, lines: Sequence[str]) -> PipelineError | None:
    if not _DAMAGED.search(output):
        return None
    return PipelineError(
        Code.MODEL,
        f"The model {request.name} is damaged or in another format.",
        where=_files(request),
        hint=f"Check that it is complete and a {request.model.framework} model.",
        detail="\n".join(lines[-6:]),
    )


def _shape_error(request: Request, output: str) -> PipelineError | None:
    failed = next((found for pattern in _SHAPES if (found := pattern.search(output))), None)
    if failed is None:
        return None
    first = _WHY.search(output)
    why = failed.groupdict().get("why") or (first["why"].strip() if first else "")
    return PipelineError(
        Code.MODEL,
        f"{request.name} does not accept inputs of these shapes.",
        where=f"{_files(request)}: {failed['node']}",
        expected="shapes that match the layers and weights",
        found=why[:300] or "shapes that do not match",
        hint="Correct the shapes of [model.inputs], or of --input.",
    )


def _other_error(
    request: Request, converter: str, finished: Finished, lines: Sequence[str]
) -> PipelineError:
    if len(lines) == 1 and finished.returncode == 1:
        # A message from one of our own scripts.
        return PipelineError(
            Code.MODEL,
            f"{converter} could not convert {request.name}.",
            where=_files(request),
            found=lines[0],
            hint="Correct [model] in the config, or --input.",
        )
    return PipelineError(
        Code.MODEL,
        f"{converter} could not convert {request.name}.",
        where=_files(request),
        found=f"exit status {finished.returncode}",
        hint="See the last lines of its output below.",
        detail="\n".join(lines[-12:]),
    )


def _files(request: Request) -> str:
    return ", ".join(dict.fromkeys(path.name for path in request.files.values()))
