"""PyTorch files: detect TorchScript, and check the unpacked size."""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import Code, PipelineError, printable

# Tensors are stored uncompressed; only TorchScript's code is compressed.
_MOST_UNPACKED = 256 * 2**20
_MOST_PICKLED = 16 * 2**20
# Before Python's zip archives, a file was four pickles, the last of them the object.
_PICKLES = 4
# The packages whose classes a state dict consists of.
_OF_TENSORS = ("collections", "torch", "numpy", "_codecs", "builtins", "__builtin__")
_MODULES = ("torch.nn.modules", "torch.nn.parallel", "torch.fx", "torchvision", "torch.jit")


def is_torchscript(path: Path) -> bool:
    """Return whether a file is TorchScript, which has a constants.pkl, unlike a state dict."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        # The conversion reports the error.
        return True


def check_archive(path: Path) -> None:
    """Raise PipelineError (MODEL) if the file is an archive with an excessive unpacked size."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise PipelineError(
            Code.MODEL,
            "The archive of the PyTorch model cannot be read.",
            where=path.name,
            found=str(error),
        ) from None
    most = path.stat().st_size + _MOST_UNPACKED
    if unpacked > most:
        raise PipelineError(
            Code.MODEL,
            "The archive of the PyTorch model unpacks to too many bytes.",
            where=path.name,
            expected=f"at most {most} bytes",
            found=f"{unpacked} bytes",
            hint="PyTorch does not compress tensors: the file was not written by PyTorch.",
        )


def check_pickle(path: Path) -> None:
    """Raise PipelineError (MODEL) for a pickle of a whole module; no pickle is loaded."""
    for name in _pickled_classes(path):
        foreign = name.partition(".")[0] not in _OF_TENSORS or name.startswith(_MODULES)
        if foreign:
            raise PipelineError(
                Code.MODEL,
                "The file is a pickled PyTorch module, which runs code when it is loaded.",
                where=str(path),
                expected="TorchScript, an exported program, or a state dict",
                found=f"a pickle of {printable(name)[:100]}",
                hint="Save it with torch.jit.save or torch.export.save, or save its state_dict().",
            )


def _pickled_classes(path: Path) -> Iterator[str]:
    """Yield the classes and functions that a file's pickles name, as far as they can be read."""
    data = _pickle(path)
    at = 0
    for _ in range(_PICKLES):
        texts = ["", ""]
        try:
            for operation, argument, position in pickletools.genops(data[at:]):
                if operation.name == "GLOBAL":
                    yield str(argument).replace(" ", ".")
                elif operation.name == "STACK_GLOBAL":
                    yield ".".join(texts[-2:])
                elif isinstance(argument, str):
                    texts.append(argument)
                if operation.name == "STOP" and position is not None:
                    at += position + 1
        except Exception:  # A hostile pickle may raise anything.
            return


def _pickle(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            return stream.read(_MOST_PICKLED)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if not names:
                return b""
            with archive.open(names[0]) as member:
                return member.read(_MOST_PICKLED)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, zlib.error):
        return b""
