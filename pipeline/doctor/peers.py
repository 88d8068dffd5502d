"""Programs that only some things need: other wasi-nn hosts, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from pipeline.doctor.line import Line, fine, lacking

_OPTIONAL = {
    "wasmedge": ("`wasi-nn conformance --host wasmedge`", "Install WasmEdge with its wasi-nn"),
    "iwasm": ("`wasi-nn conformance --host iwasm`", "Install WAMR with its wasi-nn"),
    "chromium": ("the tests of the report", "On Debian: apt-get install chromium"),
}


def peers() -> Iterator[Line]:
    """Yield a line for each; none is needed."""
    for program, (use, fix) in _OPTIONAL.items():
        if path := shutil.which(program):
            yield fine("optional", program, path)
        else:
            yield lacking("optional", program, f"not here; {use} would use it", fix, needed=False)
