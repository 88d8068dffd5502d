"""Cases of `load_by_name`: a model that the host provides by name."""

from __future__ import annotations

from pipeline.conformance.case import END, At, Case, DataSegment, ExpectBytes
from pipeline.conformance.cases.steps import (
    HANDLE,
    NOT_FOUND,
    Y,
    compute,
    context,
    inferred,
    output,
    refused,
    served,
    set_input,
    tensor,
    u32,
)
from pipeline.conformance.models import numbers

# The graph that the host must provide: the model `add`.
NAME = "add"


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(
            name="name-found",
            rule="a graph that the host provides is loaded by name",
            graphs=[NAME],
            steps=[
                DataSegment("name", [NAME.encode()]),
                DataSegment("graph", [HANDLE]),
                served("load_by_name", At("name"), len(NAME), At("graph")),
                *context(),
                *tensor(),
                *inferred(),
            ],
        ),
        Case(
            name="name-twice",
            rule="loading a name twice gives two independent graphs",
            graphs=[NAME],
            steps=[
                DataSegment("name", [NAME.encode()]),
                DataSegment("graph", [HANDLE]),
                DataSegment("graph 2", [HANDLE]),
                served("load_by_name", At("name"), len(NAME), At("graph")),
                served("load_by_name", At("name"), len(NAME), At("graph 2")),
                ExpectBytes("graph", u32(0), "the first graph is not handle 0", unsafe=False),
                ExpectBytes("graph 2", u32(1), "the second graph is not handle 1", unsafe=False),
                *context(),
                *context(" 2"),
                *tensor(),
                *tensor("x 2", numbers("f32", 1, 2, 3, 4)),
                set_input(),
                set_input(label="x 2", context=" 2"),
                compute(),
                compute(" 2"),
                *output(Y),
                *output(numbers("f32", 2, 4, 6, 8), label=" 2", context=" 2"),
            ],
        ),
        Case(
            name="name-with-config",
            rule="a graph is loaded by name with the config {}",
            graphs=[NAME],
            steps=[
                DataSegment("name", [NAME.encode()]),
                DataSegment("config", [b"{}"]),
                DataSegment("graph", [HANDLE]),
                served(
                    "load_by_name_with_config",
                    *(At("name"), len(NAME), At("config"), 2, At("graph")),
                ),
                *context(),
                *tensor(),
                *inferred(),
            ],
        ),
        _refused("name-unknown", "a name that the host does not provide", b"nothing-of-this-name"),
        _refused("name-not-a-path", "a path with ../ in it", b"../add/../add"),
        _refused("name-not-a-file", "the path of a file of the model", b"add/model.xml"),
        _refused("name-with-nul", "a name with a NUL", b"add\0"),
        _refused("name-empty", "an empty name", b""),
        Case(
            name="name-not-utf8",
            rule="errno 1 for a name that is not UTF-8",
            graphs=[NAME],
            steps=[
                DataSegment("name", [b"\xff\xfe\xfd"]),
                DataSegment("graph", [HANDLE]),
                refused("load_by_name", At("name"), 3, At("graph")),
                ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
            ],
        ),
        Case(
            name="name-out-of-bounds",
            rule="errno 1 for a name that ends outside memory",
            graphs=[NAME],
            steps=[
                DataSegment("graph", [HANDLE]),
                refused("load_by_name", At(END, -2), 4, At("graph")),
                ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
            ],
        ),
        Case(
            name="name-handle-out-of-bounds",
            rule="errno 1 for a handle pointer that ends outside memory",
            graphs=[NAME],
            steps=[
                DataSegment("name", [NAME.encode()]),
                refused("load_by_name", At("name"), len(NAME), At(END, -2)),
                DataSegment("graph", [HANDLE]),
                served("load_by_name", At("name"), len(NAME), At("graph")),
                ExpectBytes("graph", u32(0), "a refused load took a handle", unsafe=False),
            ],
        ),
    ]


def _refused(name: str, what: str, text: bytes) -> Case:
    return Case(
        name=name,
        rule=f"errno 8 for {what}",
        graphs=[NAME],
        steps=[
            DataSegment("name", [text or b"-"]),
            DataSegment("graph", [HANDLE]),
            refused("load_by_name", At("name"), len(text), At("graph"), by=(NOT_FOUND,)),
            ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
        ],
    )
