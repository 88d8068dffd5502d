"""Cases of handle release and of the process: instances, extensions, memory, streams."""

from __future__ import annotations

from pipeline.conformance.case import (
    ERRORS,
    At,
    Call,
    Case,
    DataSegment,
    Exit,
    ExpectBytes,
    LoadU32,
    Print,
    Step,
)
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.steps import (
    ANY,
    CPU,
    HANDLE,
    UNSUPPORTED,
    UNTOUCHED,
    compute,
    context,
    inferred,
    loaded,
    model,
    ready,
    refused,
    served,
    set_input,
    tensor,
)
from pipeline.conformance.models import ir


def cases() -> list[Case]:
    """Return the cases."""
    add = ir.add()
    return [
        Case(
            name="handles-fresh",
            rule="a new instance has no graph 0 and no context 0",
            basis=basis.FRESH,
            steps=[
                DataSegment("context", [HANDLE]),
                refused("init_execution_context", 0, At("context")),
                refused("compute", 0),
            ],
        ),
        Case(
            name="unload-twice",
            rule="unloading a graph again is an error",
            basis=basis.UNLOAD,
            steps=[
                *loaded(add),
                served("unload", LoadU32("graph")),
                refused("unload", LoadU32("graph")),
                refused("unload", 77),
            ],
        ),
        Case(
            name="unload-ends-contexts",
            rule="computing on a context of an unloaded graph is an error",
            basis=basis.UNLOAD_CONTEXTS,
            steps=[
                *ready(add),
                *tensor(),
                set_input(),
                compute(),
                served("unload", LoadU32("graph")),
                refused("compute", LoadU32("context")),
                refused("set_input", LoadU32("context"), 0, At("x")),
                DataSegment("y", [UNTOUCHED * 32]),
                DataSegment("written", [HANDLE]),
                Call("get_output", (LoadU32("context"), 0, At("y"), 16, At("written")), ANY),
            ],
        ),
        Case(
            name="unload-handle-not-reused",
            rule="the handle of an unloaded graph is unknown, also when others are loaded",
            basis=basis.UNLOAD,
            steps=[
                *loaded(add),
                served("unload", LoadU32("graph")),
                DataSegment("old", [HANDLE]),
                DataSegment("graph 2", [HANDLE]),
                served("load", At("builders"), 2, add.encoding, CPU, At("graph 2")),
                refused("init_execution_context", LoadU32("graph"), At("old")),
            ],
        ),
        Case(
            name="finalize-twice",
            rule="a finalized context is unknown, and another works",
            basis=basis.FINALIZE,
            steps=[
                *ready(add),
                *tensor(),
                set_input(),
                served("finalize_execution_context", LoadU32("context")),
                refused("finalize_execution_context", LoadU32("context")),
                refused("compute", LoadU32("context")),
                *context(" 2", graph=""),
                set_input(context=" 2"),
                compute(" 2"),
            ],
        ),
        Case(
            name="single-unsupported",
            rule="streamed outputs, which this model does not have, are an error",
            basis=basis.SINGLE,
            steps=_single(),
        ),
        Case(
            name="memory-not-exported",
            rule="a guest that exports no memory is rejected, or its load is an error",
            basis=basis.NO_MEMORY,
            memory=False,
            steps=[
                *model(add),
                DataSegment("graph", [HANDLE]),
                Call(
                    "load",
                    (At("builders"), 2, add.encoding, CPU, At("graph")),
                    ERRORS,
                    unsafe=(0,),
                ),
            ],
        ),
        Case(
            name="streams",
            rule="the guest's output and exit code are passed on",
            basis=basis.STREAMS,
            exit_code=7,
            steps=[
                *ready(add),
                *tensor(),
                *inferred(),
                Print(1, "to stdout"),
                Print(2, "to stderr"),
                Exit(7),
            ],
        ),
    ]


def _single() -> list[Step]:
    refusal = (UNSUPPORTED,)
    return [
        *ready(ir.add()),
        *tensor(),
        set_input(),
        DataSegment("y", [UNTOUCHED * 32]),
        DataSegment("written", [HANDLE]),
        refused("compute_single", LoadU32("context"), advised=refusal),
        refused(
            "get_output_single",
            *(LoadU32("context"), 0, At("y"), 16, At("written")),
            advised=refusal,
        ),
        refused("fini_single", LoadU32("context"), advised=refusal),
        ExpectBytes("y", UNTOUCHED * 32, "a refused call wrote into the buffer"),
    ]
