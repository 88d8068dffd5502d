"""Detect a model's framework by the names and first bytes of its files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config.model_tables import SPELLED, Framework
from pipeline.errors import Code, PipelineError
from pipeline.model.convert.torch_archive import check_pickle, is_torchscript
from pipeline.model.inspect.model_bytes import check_model_bytes

# Each form of a model: the framework, then the suffixes of its files by label.
_FORMS: Sequence[tuple[Framework, Mapping[str, tuple[str, ...]]]] = (
    ("caffe", {"weights": (".caffemodel",), "topology": (".prototxt", ".prototxt.txt")}),
    ("mxnet", {"params": (".params",), "symbol": (".json",)}),
    ("paddle", {"model": (".pdmodel", ".json"), "params": (".pdiparams",)}),
    ("onnx", {"model": (".onnx",)}),
    ("tflite", {"model": (".tflite",)}),
    ("openvino", {"model": (".xml",), "weights": (".bin",)}),
    ("kaldi", {"model": (".nnet", ".mdl", ".nnet1", ".raw")}),
    ("pytorch", {"exported": (".pt2",)}),
    ("pytorch", {"torchscript": (".pt", ".pth", ".jit", ".torchscript")}),
    ("tensorflow", {"graph": (".pb",)}),
)
_HINT = f"Name it: --framework {', '.join(sorted({name for name, _ in _FORMS}))}."


def detect_framework(
    paths: Sequence[Path], framework: Framework | None = None
) -> tuple[Framework, dict[str, Path]]:
    """Return the framework of a model's files, and the files by label.

    A folder is a SavedModel; a PyTorch file that is not TorchScript is a state dict. Raises
    PipelineError (USAGE) when files are missing or of an unknown framework.
    """
    for path in paths:
        if not path.exists():
            raise PipelineError(Code.USAGE, "There is no such file.", where=str(path))
        # The weights of a network without constants are empty.
        if len(paths) == 1 or path.suffix.lower() != ".bin" or path.stat().st_size:
            check_model_bytes(path)
    if len(paths) == 1 and paths[0].name == "saved_model.pb" and framework is None:
        raise PipelineError(
            Code.USAGE,
            "saved_model.pb is one file of a SavedModel, which is a folder.",
            where=str(paths[0]),
            hint=f"Give the folder instead: {paths[0].absolute().parent}",
        )
    if len(paths) == 1 and paths[0].is_dir():
        return "tensorflow", _saved_model(paths[0])
    known = [form for form in _FORMS if framework in (None, form[0])]
    for name, labels in known:
        if found := _fitting(paths, labels, len(known) == 1):
            script = found.get("torchscript")
            if script is not None and not is_torchscript(script):
                check_pickle(script)
                return name, {"weights": script}
            return name, found
    endings = {label: ends for _, labels in known for label, ends in labels.items()}
    if framework is not None:
        wanted = " and ".join(f"{' or '.join(ends)} ({label})" for label, ends in endings.items())
        raise PipelineError(
            Code.USAGE,
            f"These are not the files of a {framework} model.",
            where=", ".join(map(str, paths)),
            expected=wanted,
        )
    if len(paths) == 1 and (detected := _by_bytes(paths[0])):
        return detected
    if several := _several(paths):
        raise PipelineError(
            Code.USAGE,
            "The files belong to more than one model.",
            where=", ".join(map(str, several)),
            hint="Pass the files of one model.",
        )
    missing = _incomplete(paths)
    raise PipelineError(
        Code.USAGE,
        missing or "Unknown model format.",
        where=", ".join(map(str, paths)),
        hint="Pass all files of the model." if missing else _HINT,
    )


def _fitting(
    paths: Sequence[Path], labels: Mapping[str, tuple[str, ...]], only: bool
) -> dict[str, Path] | None:
    if len(paths) != len(labels):
        return None
    if only and len(labels) == 1:
        # With a given framework, a single file may have any suffix.
        return dict(zip(labels, paths, strict=True))
    found = {
        label: path for label, endings in labels.items() for path in paths if _ends(path, endings)
    }
    return found if len(set(found.values())) == len(labels) else None


def _ends(path: Path, endings: Sequence[str]) -> bool:
    return path.name.lower().endswith(tuple(endings))


def _several(paths: Sequence[Path]) -> Sequence[Path]:
    """Return files that are each a complete model, or the same part of several models."""
    whole = [path for path in paths if path.is_dir() or _alone(path)]
    if len(paths) > 1 and whole:
        return whole if len(whole) > 1 else paths
    for _, labels in _FORMS:
        for endings in labels.values():
            same = [path for path in paths if _ends(path, endings)]
            if len(same) > 1:
                return same
    return ()


def _alone(path: Path) -> bool:
    return any(_fitting([path], labels, False) for _, labels in _FORMS)


def _incomplete(paths: Sequence[Path]) -> str:
    """Return a message about missing files of a model with several files, or ''."""
    for name, labels in _FORMS:
        missing = [ends for ends in labels.values() if not any(_ends(each, ends) for each in paths)]
        if len(labels) > 1 and 0 < len(missing) < len(labels):
            others = " and ".join(" or ".join(ends) for ends in missing)
            return f"A model of {SPELLED[name]} also requires a file {others}."
    return ""


def _saved_model(folder: Path) -> dict[str, Path]:
    if not (folder / "saved_model.pb").is_file():
        raise PipelineError(
            Code.USAGE,
            "The folder is not a SavedModel.",
            where=str(folder),
            expected="saved_model.pb in it",
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def _by_bytes(path: Path) -> tuple[Framework, dict[str, Path]] | None:
    with path.open("rb") as stream:
        head = stream.read(16)
    if head[4:8] == b"TFL3":
        return "tflite", {"model": path}
    if head[:4] == b"PK\x03\x04" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any("/code/" in name for name in archive.namelist()):
                return "pytorch", {"torchscript": path}
    if head.startswith(b"\0B<"):
        return "kaldi", {"model": path}
    # ir_version, the first field of an ONNX file.
    if head[:1] == b"\x08" and head[1:2] < b"\x40":
        return "onnx", {"model": path}
    return None
