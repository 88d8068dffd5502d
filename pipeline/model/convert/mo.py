"""Convert Caffe, Kaldi and MXNet to IR with Model Optimizer, in its own locked environment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.child_python.commands import program_command, seeded_command
from pipeline.config.model_tables import ModelInput
from pipeline.execution.process import run_process
from pipeline.model.caffe.layers import (
    check_input_shapes,
    check_repeated_fields,
    check_weights,
    input_names,
)
from pipeline.model.convert.converter_errors import converter_error
from pipeline.model.convert.request import Request
from pipeline.telemetry import private_home

_COPY_STATES = Path(__file__).parent / "programs" / "copy_states.py"
_RUN_MO = Path(__file__).parent / "programs" / "run_mo.py"


def convert_caffe(request: Request, folder: Path) -> Path:
    """Convert a caffemodel (``weights``) and its prototxt (``topology``)."""
    check_weights(request.files["topology"], request.files["weights"])
    check_repeated_fields(request.files["topology"])
    check_input_shapes(request.files["topology"])
    weights = _copied(request, "weights", folder, ".caffemodel")
    topology = _copied(request, "topology", folder, ".prototxt")
    return _convert(request, folder, "caffe", weights, ["--input_proto", topology])


def convert_kaldi(request: Request, folder: Path) -> Path:
    """Convert an nnet1 or nnet2 network (``model``)."""
    xml = _convert(request, folder, "kaldi", _copied(request, "model", folder, ".nnet"), [])
    if b'type="Assign"' not in xml.read_bytes():
        return xml
    target = folder / "states" / xml.name
    target.parent.mkdir()
    finished = run_process(
        program_command(_COPY_STATES, xml, target),
        seconds=request.seconds,
        cwd=folder,
        env=private_home(folder / "states"),
    )
    if finished.returncode != 0 or not target.exists():
        raise converter_error(request, "OpenVINO", finished)
    return target


def convert_mxnet(request: Request, folder: Path) -> Path:
    """Convert a symbol's JSON (``symbol``) and its parameters (``params``)."""
    symbol = _copied(request, "symbol", folder, "-symbol.json")
    # Model Optimizer finds the symbol by this naming scheme.
    params = _copied(request, "params", folder, "-0000.params")
    assert symbol.startswith(request.name)
    return _convert(request, folder, "mxnet", params, [])


def _copied(request: Request, label: str, folder: Path, ending: str) -> str:
    name = f"{request.name}{ending}"
    shutil.copyfile(request.files[label], folder / name)
    return name


def _convert(
    request: Request, folder: Path, framework: str, model: str, more: Sequence[str]
) -> Path:
    finished = run_process(
        seeded_command(
            _RUN_MO,
            *("--framework", framework, "--model_name", request.name),
            *("--input_model", model, *more),
            *("--output_dir", "out", f"--compress_to_fp16={request.half}"),
            *arguments(request),
            python=request.python,
        ),
        seconds=request.seconds,
        cwd=folder,
        env={**private_home(folder), "PYTHONWARNINGS": "ignore"},
    )
    xml = folder / "out" / f"{request.name}.xml"
    if finished.returncode != 0 or not xml.exists():
        raise converter_error(request, "Model Optimizer", finished, _own_inputs(request))
    return xml


def _own_inputs(request: Request) -> list[str]:
    """Return the names of the model's inputs, as far as its files state them."""
    if request.model.framework == "caffe":
        return input_names(request.files["topology"])
    if request.model.framework == "mxnet":
        try:
            nodes = json.loads(request.files["symbol"].read_bytes())["nodes"]
            variables = [str(node["name"]) for node in nodes if node["op"] == "null"]
        except (ValueError, KeyError, TypeError):
            return []
        # Variables without a stored value are inputs.
        stored = request.files["params"].read_bytes()
        return [name for name in variables if f":{name}".encode() not in stored]
    return []


def arguments(request: Request) -> list[str]:
    """Return the config's inputs and outputs as arguments of Model Optimizer.

    The input '*' is the model's only one, without a name.
    """
    inputs = request.model.inputs
    found = []
    if inputs and "*" not in inputs:
        found += ["--input", ",".join(_typed(name, given) for name, given in inputs.items())]
    if shapes := [_shape(given) for given in inputs.values() if given.shape]:
        found += ["--input_shape", ",".join(shapes)]
    if request.model.outputs:
        found += ["--output", ",".join(request.model.outputs)]
    if any(given.reverse_channels for given in inputs.values()):
        found.append("--reverse_input_channels")
    layouts = [
        # The only input of a model has no name.
        f"{name}({_layout(given)})".removeprefix("*")
        for name, given in inputs.items()
        if _layout(given)
    ]
    if layouts:
        found += ["--layout", ",".join(layouts)]
    return [
        *found,
        *_per_channel("--mean_values", {name: given.mean for name, given in inputs.items()}),
        *_per_channel("--scale_values", {name: given.scale for name, given in inputs.items()}),
    ]


def _typed(name: str, given: ModelInput) -> str:
    return f"{name}{{{given.type}}}" if given.type else name


def _shape(given: ModelInput) -> str:
    """Return the shape of the model's input, whose axis order may differ from the tensor's."""
    sizes = [
        _size(low, high) for low, high in given.bounds or zip(given.shape, given.shape, strict=True)
    ]
    if given.layout and given.model_layout:
        sizes = [sizes[given.layout.index(axis)] for axis in given.model_layout]
    return f"[{','.join(sizes)}]"


def _size(low: int, high: int) -> str:
    """Return a size; an axis without an upper bound has -1.

    >>> _size(3, 3), _size(1, 8), _size(1, -1), _size(0, -1)
    ('3', '1..8', '1..', '?')
    """
    if high < 0:
        return f"{low}.." if low else "?"
    return f"{low}..{high}" if low != high else str(low)


def _layout(given: ModelInput) -> str:
    of_model, of_tensor = (given.model_layout or "").lower(), (given.layout or "").lower()
    return f"{of_model}->{of_tensor}" if of_model and of_tensor else of_model


def _per_channel(flag: str, values: Mapping[str, tuple[float, ...]]) -> list[str]:
    given = [
        f"{name.removeprefix('*')}[{','.join(f'{value:.9g}' for value in numbers)}]"
        for name, numbers in values.items()
        if numbers
    ]
    return [flag, ",".join(given)] if given else []
