"""The formats in which the suite has its models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.conformance.case import COMPONENT
from pipeline.conformance.models.ir import OPENVINO
from pipeline.conformance.models.model import ModelFormat
from pipeline.conformance.models.onnx import ONNX
from pipeline.conformance.models.tflite import TFLITE

FORMATS: Mapping[str, ModelFormat] = MappingProxyType(
    {form.name: form for form in (OPENVINO, ONNX, TFLITE)}
)

# The parts of the suite, by their folders in the kit: one for each format, and the components.
SUITES: Mapping[str, str] = MappingProxyType(
    {**{name: form.title for name, form in FORMATS.items()}, COMPONENT: "Components"}
)
