"""Optional programs: other wasi-nn hosts, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from pipeline.cli.doctor.check import CheckResult, failed, passed

_OPTIONAL = {
    "wasmedge": ("`wasi-nn conformance --host wasmedge`", "Install WasmEdge with wasi-nn"),
    "iwasm": ("`wasi-nn conformance --host iwasm`", "Install WAMR with wasi-nn"),
    "chromium": ("the tests of the report", "On Debian: apt-get install chromium"),
}


def peers() -> Iterator[CheckResult]:
    """Yield a line for each optional program."""
    for program, (use, fix) in _OPTIONAL.items():
        if path := shutil.which(program):
            yield passed("optional", program, path)
        else:
            yield failed("optional", program, f"not found; used by {use}", fix, needed=False)
