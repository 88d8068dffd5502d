"""All cases of the suite, in the order of a guest's calls."""

from __future__ import annotations

from pipeline.conformance.case import Case
from pipeline.conformance.cases import compute, lifetime, load, load_by_name, set_input

CASES: tuple[Case, ...] = (
    *load.cases(),
    *load_by_name.cases(),
    *set_input.cases(),
    *compute.cases(),
    *lifetime.cases(),
)
