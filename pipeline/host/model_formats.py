"""Encodings of models: the byte arrays of `load`, and the files of a named graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.host.model_types import Encoding


@dataclass(frozen=True)
class Format:
    """Parts and files of a model in one encoding.

    ``parts`` are the names of `load`'s byte arrays, in order; empty if it can only be loaded by
    name. ``suffixes`` are those of a named graph's files, in the order of a backend's files.
    """

    parts: tuple[str, ...]
    suffixes: tuple[str, ...]


FORMATS: Mapping[Encoding, Format] = MappingProxyType(
    {
        Encoding.OPENVINO: Format(("xml", "bin"), (".xml", ".bin")),
        Encoding.ONNX: Format(("model",), (".onnx",)),
        # A SavedModel's folder is found by its saved_model.pb.
        Encoding.TENSORFLOW: Format(("frozen graph",), (".pb",)),
        Encoding.PYTORCH: Format(("TorchScript",), (".pt",)),
        Encoding.TENSORFLOWLITE: Format(("model",), (".tflite",)),
        Encoding.PADDLE: Format((), (".pdmodel", ".pdiparams")),
    }
)


def detect(parts: int, first: bytes) -> Encoding:
    """Return the likely encoding of a model, from its number of parts and first bytes.

    An IR has two parts; a TFLite flatbuffer has its magic at byte 4; TorchScript is a zip; ONNX
    starts with its IR version, field 1 of the message; a TensorFlow graph starts with a node, which
    is a message.

    >>> detect(1, bytes([0x1C, 0, 0, 0]) + b"TFL3").value
    'tensorflowlite'
    """
    if parts == len(FORMATS[Encoding.OPENVINO].parts):
        return Encoding.OPENVINO
    if first[4:8] == b"TFL3":
        return Encoding.TENSORFLOWLITE
    if first[:4] == b"PK\x03\x04":
        return Encoding.PYTORCH
    return Encoding.TENSORFLOW if first[:1] == b"\x0a" else Encoding.ONNX
