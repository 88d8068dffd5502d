"""Models of guests are made safe to compute; see node_check_program for what that means.

An IR that has no node of concern is taken as it is. Other models are read and converted in a
process of their own, since reading them takes large parts of OpenVINO too.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.child_python.commands import module_command
from pipeline.host.backend import BackendError
from pipeline.host.constant_pads import has_constant_pads
from pipeline.host.model_types import Encoding
from pipeline.host.node_check_program import CHECKED, REFUSED
from pipeline.host.sandbox.process_environment import without_secrets
from pipeline.scratch import scratch_folder

_PROGRAM = "pipeline.host.node_check_program"
# OpenVINO's frontends, and the names of files that they read.
_FRONTENDS: Mapping[Encoding, tuple[str, tuple[str, ...]]] = {
    Encoding.OPENVINO: ("ir", ("model.xml", "model.bin")),
    Encoding.ONNX: ("onnx", ("model.onnx",)),
    Encoding.TENSORFLOW: ("tf", ("model.pb",)),
    Encoding.TENSORFLOWLITE: ("tflite", ("model.tflite",)),
}
_SECONDS = 300.0
_LONGEST = 600
_REMEMBERED = 64 << 20
_TYPE = re.compile(rb"type\s*=\s*[\"'](%s)[\"']" % b"|".join(map(str.encode, CHECKED)))
# A name may be written by other means too: as character references, and in UTF-16.
_HIDDEN = re.compile(rb"&#|<!|\0|\xfe\xff|\xff\xfe")


class SafeModels:
    """Makes models safe, and remembers the last: a guest may load the same one again and again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[bytes, Sequence[bytearray]] = b"", ()

    def get(self, encoding: Encoding, parts: Sequence[bytearray]) -> Sequence[bytearray]:
        """Return the IR to compute for a guest's model; raises BackendError as ``safe_model``."""
        if is_safe(encoding, parts):
            return parts
        import hashlib

        digests = [hashlib.sha256(part).digest() for part in parts]
        key = b"".join([encoding.value.encode(), *digests])
        with self._lock:
            known, safe = self._last
        if known == key:
            return safe
        _, safe = safe_model(encoding, parts)
        if sum(map(len, safe)) <= _REMEMBERED:
            with self._lock:
                self._last = key, safe
        return safe


def is_safe(encoding: Encoding, parts: Sequence[bytearray]) -> bool:
    """Whether a model is an IR that has no node of concern, as can be seen without reading it."""
    if encoding is not Encoding.OPENVINO or _HIDDEN.search(parts[0]):
        return False
    found = {each[1] for each in _TYPE.finditer(parts[0])}
    return not found or (found == {b"Pad"} and has_constant_pads(*parts))


def safe_model(
    encoding: Encoding, parts: Sequence[bytearray]
) -> tuple[Encoding, Sequence[bytearray]]:
    """Return a model from a guest's bytes that may be computed, as an IR if it had to be changed.

    Raises BackendError for one that cannot be read or made safe.
    """
    if is_safe(encoding, parts):
        return encoding, parts

    frontend, names = _FRONTENDS[encoding]
    with scratch_folder() as folder:
        for name, part in zip(names, parts, strict=True):
            (folder / name).write_bytes(part)
        _run(folder, frontend, names[0])
        if not (folder / "safe.xml").exists():
            return encoding, parts
        safe = [bytearray((folder / name).read_bytes()) for name in ("safe.xml", "safe.bin")]
    return Encoding.OPENVINO, safe


def _run(folder: Path, frontend: str, name: str) -> None:
    import subprocess

    try:
        done = subprocess.run(
            module_command(_PROGRAM, folder / name, frontend),
            cwd=folder,
            env=without_secrets(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(f"reading the model took more than {_SECONDS:g} s") from None
    if done.returncode == REFUSED:
        text = done.stdout.decode(errors="replace").strip()
        raise BackendError(text[:_LONGEST] or "the model cannot be read")
    if done.returncode != 0:
        raise BackendError(f"the process that read the model ended with {done.returncode}")
