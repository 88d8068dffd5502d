"""Cases that need an option of the host: a second instance, and a time limit."""

from __future__ import annotations

from pipeline.conformance.case import CallSecond, Case, Forever, Need, Print
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.steps import (
    Y,
    compute,
    inferred,
    output,
    ready,
    set_input,
    tensor,
)
from pipeline.conformance.models import ir
from pipeline.conformance.models.model import numbers


def cases() -> list[Case]:
    """Return the cases."""
    add = ir.add()
    return [
        Case(
            name="instances-two",
            rule="a second instance computes over its own memory, and the first is unaffected",
            basis=basis.OWN_MEMORY,
            need=Need.PRELOAD,
            second=[
                *ready(add),
                *tensor(data=numbers("f32", 1, 2, 3, 4)),
                *inferred(numbers("f32", 2, 4, 6, 8)),
            ],
            steps=[
                *ready(add),
                *tensor(),
                set_input(),
                CallSecond("the second instance got wrong results"),
                compute(),
                *output(Y),
            ],
        ),
        Case(
            name="limit-seconds",
            rule="a guest that computes for ever is ended at the host's time limit",
            basis=basis.TIME_LIMIT,
            need=Need.SECONDS,
            steps=[
                # Before all else: the machine may be so slow that the limit ends the load.
                Print(1, "may trap: compute"),
                *ready(add),
                *tensor(),
                set_input(),
                Forever([compute()]),
            ],
        ),
    ]
