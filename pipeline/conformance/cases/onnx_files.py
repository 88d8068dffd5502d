"""Cases of ONNX models that refer to what is not theirs: files and memory of the host."""

from __future__ import annotations

from pipeline.conformance.case import At, Case
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.load import refused_load
from pipeline.conformance.cases.steps import CPU, RUNTIME, model, refused
from pipeline.conformance.models import onnx
from pipeline.conformance.models.model import SuiteModel

# A file that every host may read, and ONNX Runtime's name for an address of its own process.
_FILE = "/etc/passwd"
_MEMORY = "*/_ORT_MEM_ADDR_/*"
_UNMAPPED = 4096


def cases() -> list[Case]:
    """Return the cases."""
    return [
        _case(
            "load-external-file",
            "a model whose weights are a file of the host is an error",
            onnx.external(_FILE),
        ),
        _case(
            "load-external-file-relative",
            "a model whose weights are a file in the host's folder is an error",
            onnx.external("conformance.py"),
        ),
        _case(
            "load-external-file-hidden",
            "a model that hides its reference to a file in a long tag is an error",
            onnx.external(_FILE, hidden=True),
        ),
        _case(
            "load-external-memory",
            "a model whose weights are an address of the host is an error",
            onnx.external(_MEMORY, _UNMAPPED),
        ),
        _case(
            "load-external-memory-hidden",
            "a model that hides its reference to an address in a long tag is an error",
            onnx.external(_MEMORY, _UNMAPPED, hidden=True),
        ),
    ]


def _case(name: str, rule: str, bad: SuiteModel) -> Case:
    call = refused("load", *(At("builders"), 1, bad.encoding, CPU, At("graph")), advised=(RUNTIME,))
    return refused_load(name, rule, basis.HOST_FILE, model(bad), call, onnx.add())
