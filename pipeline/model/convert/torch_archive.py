"""PyTorch files: detect TorchScript, and check the unpacked size."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline.errors import Code, PipelineError

# Tensors are stored uncompressed; only TorchScript's code is compressed.
_MOST_UNPACKED = 256 * 2**20


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
