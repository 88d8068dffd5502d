"""The formats in which the suite has its models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.conformance.models.model import Format
from pipeline.conformance.models.onnx import ONNX
from pipeline.conformance.models.openvino import OPENVINO
from pipeline.conformance.models.tflite import TFLITE

FORMATS: Mapping[str, Format] = MappingProxyType(
    {form.name: form for form in (OPENVINO, ONNX, TFLITE)}
)
