"""Inspect a PyTorch model: TorchScript states the arguments of ``forward``, other files do not.

No pickle is loaded: TorchScript's code is text in the archive.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import ModelInterface, TensorInfo

_LARGEST_CODE = 16 << 20
_FORWARD = re.compile(
    r"^class (?P<class>\w+)\(Module\):|^  def forward\((?P<arguments>.*?)\)(?: ->|:)", re.M | re.S
)
_ARGUMENT = re.compile(r"(?P<name>\w+): Tensor")


def introspect_pytorch(files: Mapping[str, Path]) -> ModelInterface:
    """Return the arguments of a module's ``forward``, without shapes.

    Raises PipelineError (MODEL).
    """
    if "exported" in files:
        return ModelInterface(inputs=_unknown("x"), label="exported")
    [path] = files.values()
    if not zipfile.is_zipfile(path):
        return _state_dict(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if not any("/code/" in name for name in members):
                return ModelInterface(inputs=_unknown("x"), label="weights")
            arguments = _arguments(archive, members)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise PipelineError(
            Code.MODEL,
            "The TorchScript archive cannot be read.",
            where=str(path),
            found=str(error)[:200],
        ) from None
    return ModelInterface(inputs=_unknown(*(arguments or ("x",))), label="torchscript")


def _state_dict(path: Path) -> ModelInterface:
    with path.open("rb") as stream:
        head = stream.read(2)
    if head[:1] != b"\x80":
        raise PipelineError(
            Code.MODEL,
            "The file is not a PyTorch model.",
            where=str(path),
            expected="TorchScript, an exported program (.pt2), or a state dict",
        )
    return ModelInterface(inputs=_unknown("x"), label="weights")


def _arguments(archive: zipfile.ZipFile, members: list[str]) -> list[str]:
    """Return the tensor arguments of the top class's ``forward``."""
    data = next((name for name in members if name.endswith("/data.pkl")), None)
    if data is None:
        raise ValueError("no data.pkl")
    module, name = _top(_read(archive, data))
    code = f"/code/{'/'.join(module)}.py"
    member = next((each for each in members if each.endswith(code)), None)
    if member is None:
        return []
    current = ""
    for found in _FORWARD.finditer(_read(archive, member).decode(errors="replace")):
        current = found["class"] or current
        if found["arguments"] is not None and current == name:
            return [each["name"] for each in _ARGUMENT.finditer(found["arguments"])]
    return []


def _top(pickled: bytes) -> tuple[list[str], str]:
    """Return the first module and class named by the archive's pickle, without loading it."""
    import pickletools

    try:
        for operation, argument, _ in pickletools.genops(pickled):
            if operation.name == "GLOBAL" and isinstance(argument, str):
                module, _, name = argument.partition(" ")
                return module.split("."), name
    except Exception as error:  # A hostile pickle may raise anything.
        raise ValueError(f"data.pkl is damaged: {error}") from None
    raise ValueError("data.pkl names no class")


def _read(archive: zipfile.ZipFile, member: str) -> bytes:
    with archive.open(member) as stream:
        data = stream.read(_LARGEST_CODE + 1)
    if len(data) > _LARGEST_CODE:
        raise ValueError(f"{member} has more than {_LARGEST_CODE} bytes")
    return data


def _unknown(*names: str) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(name=name, type="f32", shape=None) for name in names)
