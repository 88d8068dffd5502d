"""All cases of the suite, in the order of a guest's calls."""

from __future__ import annotations

from pipeline.verify.conformance import (
    cases_input,
    cases_load,
    cases_named,
    cases_output,
    cases_process,
)
from pipeline.verify.conformance.case import Case

CASES: tuple[Case, ...] = (
    *cases_load.cases(),
    *cases_named.cases(),
    *cases_input.cases(),
    *cases_output.cases(),
    *cases_process.cases(),
)
