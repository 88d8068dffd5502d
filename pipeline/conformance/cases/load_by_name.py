"""Cases of `load_by_name`: a model that the host provides by name."""

from __future__ import annotations

from pipeline.conformance.case import (
    END,
    ERRORS,
    At,
    Basis,
    Call,
    Case,
    DataSegment,
    ExpectBytes,
    LoadU32,
    ReadArgument,
    SkipUnlessSuccess,
    Step,
)
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.steps import (
    ANY,
    ARGUMENT,
    HANDLE,
    NOT_FOUND,
    SUCCESS,
    Y,
    compute,
    context,
    inferred,
    output,
    refused,
    served,
    set_input,
    tensor,
)
from pipeline.conformance.models.model import ModelFormat, numbers

# The graph that the host must provide: the model `add`.
NAME = "add"
_HUGE = 1 << 14


def cases(form: ModelFormat) -> list[Case]:
    """Return the cases that every encoding has."""
    return [
        Case(
            name="name-found",
            rule="a graph that the host provides is loaded by name",
            basis=basis.NAMES,
            graphs=[NAME],
            steps=[*_found(), *context(), *tensor(), *inferred()],
        ),
        Case(
            name="name-twice",
            rule="loading a name twice gives one handle or two, and its contexts are independent",
            basis=basis.NAMES,
            graphs=[NAME],
            steps=[
                *_found(),
                DataSegment("graph 2", [HANDLE]),
                served("load_by_name", At("name"), len(NAME), At("graph 2")),
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
        _unknown("name-unknown", "a name that the host does not provide", b"nothing-of-this-name"),
        Case(
            name="name-host-path",
            rule="the path of the model's file on the host is an error",
            basis=basis.HOST_FILE,
            graphs=[NAME],
            arguments=[f"{{models}}/{NAME}/{form.files[0]}"],
            steps=[
                ReadArgument("path"),
                DataSegment("graph", [HANDLE]),
                refused(
                    "load_by_name",
                    *(LoadU32("path"), LoadU32("path", 4), At("graph")),
                    advised=(NOT_FOUND,),
                ),
                ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
            ],
        ),
    ]


def further() -> list[Case]:
    """Return the cases that are asked once."""
    return [
        Case(
            name="name-with-config",
            rule="load_by_name_with_config with {} is an error, or serves the graph right",
            basis=basis.CONFIG,
            graphs=[NAME],
            steps=[
                DataSegment("name", [NAME.encode()]),
                DataSegment("config", [b"{}"]),
                DataSegment("graph", [HANDLE]),
                Call(
                    "load_by_name_with_config",
                    (At("name"), len(NAME), At("config"), 2, At("graph")),
                    tuple(each for each in ANY if each != 6),
                    advised=(SUCCESS,),
                ),
                SkipUnlessSuccess(),
                *context(),
                *tensor(),
                *inferred(),
            ],
        ),
        _unknown("name-not-a-path", "a path with ../ in it", b"../add/../add"),
        _unknown("name-not-a-file", "the path of a file of the model", b"add/model.xml"),
        _unknown("name-with-nul", "a name with a NUL", b"add\0"),
        _unknown("name-empty", "an empty name", b""),
        _unknown("name-not-utf8", "a name that is not UTF-8", b"\xff\xfe\xfd", trap=True),
        _unknown("name-huge", "a name of 16 KiB", b"a" * _HUGE, trap=True),
        Case(
            name="name-out-of-bounds",
            rule="a name that ends outside memory traps or is an error",
            basis=basis.POINTER,
            graphs=[NAME],
            steps=[
                DataSegment("graph", [HANDLE]),
                refused("load_by_name", At(END, -2), 4, At("graph"), may_trap=True),
                ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
                *_served_after(),
            ],
        ),
        Case(
            name="name-handle-out-of-bounds",
            rule="a handle pointer that ends outside memory traps or is an error",
            basis=basis.POINTER,
            graphs=[NAME],
            steps=[
                DataSegment("name", [NAME.encode()]),
                refused("load_by_name", At("name"), len(NAME), At(END, -2), may_trap=True),
                *_served_after(),
            ],
        ),
    ]


def _found() -> list[Step]:
    return [
        DataSegment("name", [NAME.encode()]),
        DataSegment("graph", [HANDLE]),
        served("load_by_name", At("name"), len(NAME), At("graph")),
    ]


def _served_after() -> list[Step]:
    return [
        DataSegment("known", [NAME.encode()]),
        DataSegment("graph after", [HANDLE]),
        served("load_by_name", At("known"), len(NAME), At("graph after")),
    ]


def _unknown(
    name: str, what: str, text: bytes, *, trap: bool = False, stands_on: Basis = basis.UNKNOWN_NAME
) -> Case:
    # A name that no host could have may also be an invalid argument.
    advised = (NOT_FOUND,) if name == "name-unknown" else (NOT_FOUND, ARGUMENT)
    return Case(
        name=name,
        rule=f"{what} is an error" + (" or traps" if trap else ""),
        basis=stands_on,
        graphs=[NAME],
        steps=[
            DataSegment("name", [text or b"-"]),
            DataSegment("graph", [HANDLE]),
            Call(
                "load_by_name",
                (At("name"), len(text), At("graph")),
                ERRORS,
                unsafe=(SUCCESS,),
                advised=advised,
                may_trap=trap,
            ),
            ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
            *_served_after(),
        ],
    )
