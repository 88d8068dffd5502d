"""Cases of handle release and of the process: instances, extensions, streams and exit codes."""

from __future__ import annotations

from pipeline.conformance.case import (
    At,
    Call,
    Case,
    DataSegment,
    Ending,
    Exit,
    ExpectBytes,
    LoadU32,
    Print,
    Step,
)
from pipeline.conformance.cases.steps import (
    ARGUMENT,
    HANDLE,
    UNSUPPORTED,
    compute,
    context,
    inferred,
    loaded,
    ready,
    refused,
    served,
    set_input,
    tensor,
    u32,
)


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(
            name="handles-fresh",
            rule="a new instance has no graph 0 and no context 0",
            steps=[
                DataSegment("context", [HANDLE]),
                refused("init_execution_context", 0, At("context")),
                refused("compute", 0),
            ],
        ),
        Case(
            name="unload-twice",
            rule="errno 1 for unloading a graph again",
            steps=[
                *loaded(),
                served("unload", LoadU32("graph")),
                refused("unload", LoadU32("graph")),
                refused("unload", 77),
            ],
        ),
        Case(
            name="unload-ends-contexts",
            rule="errno 1 for a context of an unloaded graph",
            steps=[
                *ready(),
                *tensor(),
                set_input(),
                compute(),
                served("unload", LoadU32("graph")),
                refused("compute", LoadU32("context")),
                refused("set_input", LoadU32("context"), 0, At("x")),
                *_unread(),
            ],
        ),
        Case(
            name="unload-handle-not-reused",
            rule="the handle of an unloaded graph is not reused",
            steps=[
                *loaded(),
                served("unload", LoadU32("graph")),
                DataSegment("old", [HANDLE]),
                DataSegment("graph 2", [HANDLE]),
                served("load", At("builders"), 2, 0, 0, At("graph 2")),
                ExpectBytes("graph 2", u32(1), "the second graph is not handle 1", unsafe=False),
                refused("init_execution_context", LoadU32("graph"), At("old")),
            ],
        ),
        Case(
            name="finalize-twice",
            rule="errno 1 for a finalized context",
            steps=[
                *ready(),
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
            rule="errno 6 for streamed outputs, which this model does not have",
            steps=[
                *ready(),
                *tensor(),
                set_input(),
                DataSegment("y", [HANDLE * 8]),
                DataSegment("written", [HANDLE]),
                refused("compute_single", LoadU32("context"), by=(UNSUPPORTED,)),
                refused(
                    "get_output_single",
                    *(LoadU32("context"), 0, At("y"), 16, At("written")),
                    by=(UNSUPPORTED,),
                ),
                refused("fini_single", LoadU32("context"), by=(UNSUPPORTED,)),
                ExpectBytes("y", HANDLE * 8, "a refused call wrote into the buffer"),
            ],
        ),
        Case(
            name="memory-not-exported",
            rule="a guest that exports no memory is rejected, or gets errno 3",
            memory=False,
            steps=[Call("init_execution_context", (0, 0), (3,), unsafe=(0,))],
            ending=Ending(stdout=""),
        ),
        Case(
            name="streams",
            rule="the guest's output and exit code are passed on",
            steps=[
                *ready(),
                *tensor(),
                *inferred(),
                Print(1, "to stdout"),
                Print(2, "to stderr"),
                Exit(7),
            ],
            ending=Ending(exit_code=7, stdout="to stdout\n", stderr="to stderr"),
        ),
        Case(
            name="exit-200",
            rule="the exit code 200 is passed on",
            steps=[Exit(200)],
            ending=Ending(exit_code=200, stdout=""),
        ),
    ]


def _unread() -> list[Step]:
    return [
        DataSegment("y", [HANDLE * 8]),
        DataSegment("written", [HANDLE]),
        Call(
            "get_output",
            (LoadU32("context"), 0, At("y"), 16, At("written")),
            (ARGUMENT,),
            unsafe=(0,),
        ),
        ExpectBytes("y", HANDLE * 8, "a refused call wrote into the buffer"),
    ]
