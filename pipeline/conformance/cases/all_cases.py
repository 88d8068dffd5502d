"""All cases of the suite, in the order of a guest's calls; those of components are last."""

from __future__ import annotations

from dataclasses import replace

from pipeline.conformance.case import Case
from pipeline.conformance.cases import (
    components,
    compute,
    host_options,
    lifetime,
    load,
    load_by_name,
    load_formats,
    onnx_files,
    set_input,
    tensors,
)
from pipeline.conformance.models.formats import FORMATS
from pipeline.conformance.models.model import ModelFormat


def _of(form: ModelFormat) -> list[Case]:
    """Return the cases of an encoding; OpenVINO has those that are asked once."""
    once = form.name == "openvino"
    found = [
        *load.cases(form),
        *(load_formats.cases() if once else ()),
        *(onnx_files.cases() if form.name == "onnx" else ()),
        *load_by_name.cases(form),
        *(load_by_name.further() if once else ()),
        *set_input.cases(form),
        *(tensors.cases() if once else ()),
        *compute.cases(form),
        *(lifetime.cases() if once else ()),
        *(host_options.cases() if once else ()),
    ]
    return [replace(case, encoding=form.name) for case in found]


MODULE_CASES: tuple[Case, ...] = tuple(case for form in FORMATS.values() for case in _of(form))
CASES: tuple[Case, ...] = (*MODULE_CASES, *components.cases())
