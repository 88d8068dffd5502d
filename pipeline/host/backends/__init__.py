"""The frameworks behind wasi-nn, one module each, and which of them reads what."""

from __future__ import annotations

from pipeline.host.abi import Encoding
from pipeline.host.backend import Backend, Missing
from pipeline.host.backends.openvino import OpenVINO

# How many byte arrays each encoding comes in: OpenVINO's xml and bin, else the one file.
PARTS = {
    Encoding.OPENVINO: ("xml", "bin"),
    Encoding.ONNX: ("model",),
    Encoding.TENSORFLOW: ("frozen graph",),
    Encoding.TENSORFLOWLITE: ("model",),
}


def backend_for(encoding: Encoding) -> Backend:
    """Return the backend of an encoding; raises Missing with what to do instead."""
    if encoding not in PARTS:
        raise Missing(_INSTEAD[encoding])
    return OpenVINO()


def detect(parts: int, first: bytes) -> Encoding:
    """Return the encoding that bytes of an unnamed one are tried as.

    An IR has two parts; a TFLite flatbuffer has its mark at byte 4; ONNX starts with its IR
    version, field 1 of the message; a TensorFlow graph with a node, which is a message.

    >>> detect(1, bytes([0x1C, 0, 0, 0]) + b"TFL3").value
    'tensorflowlite'
    """
    if parts == len(PARTS[Encoding.OPENVINO]):
        return Encoding.OPENVINO
    if first[4:8] == b"TFL3":
        return Encoding.TENSORFLOWLITE
    return Encoding.TENSORFLOW if first[:1] == b"\x0a" else Encoding.ONNX


_INSTEAD = {
    Encoding.PYTORCH: (
        "TorchScript is read by PyTorch alone, and loading it runs code from the file; "
        "`pip install torch openvino` where the model comes from, convert it there with "
        "openvino.convert_model, and load the OpenVINO IR"
    ),
    Encoding.GGML: (
        "there is no backend for ggml; run the model on WasmEdge with its ggml plugin, or "
        "convert it to OpenVINO IR with `pip install optimum-intel`"
    ),
}
