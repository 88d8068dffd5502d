"""PyTorch's own files: which form one has, and that it unpacks to no more than it may."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline.errors import Code, PipelineError

# Tensors are stored as they are; of TorchScript only the code is compressed.
_MOST_UNPACKED = 256 * 2**20


def is_torchscript(path: Path) -> bool:
    """Return whether a file is TorchScript, and not a pickle of weights: it has a constants.pkl."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        # Its conversion tells what is wrong with it.
        return True


def check_archive(path: Path) -> None:
    """Raise PipelineError (MODEL) where a file that is an archive grows much larger unpacked."""
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
            "The archive of the PyTorch model unpacks to more than any model of its size.",
            where=path.name,
            expected=f"at most {most} bytes",
            found=f"{unpacked} bytes",
            hint="PyTorch stores tensors as they are; this file was not written by it.",
        )
