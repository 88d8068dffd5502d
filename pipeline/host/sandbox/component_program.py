"""Load a component: compile it, and check what it imports and exports before it runs."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.guest_program import SHOWN, read_guest, short_name

if TYPE_CHECKING:
    import wasmtime
    from wasmtime import component

# The interfaces of WASI 0.2 that Wasmtime has for a command.
WASI: tuple[str, ...] = (
    *("wasi:cli/environment", "wasi:cli/exit"),
    *(f"wasi:cli/{name}" for name in ("stdin", "stdout", "stderr")),
    *(f"wasi:cli/terminal-{name}" for name in ("input", "output", "stdin", "stdout", "stderr")),
    *("wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock"),
    *("wasi:filesystem/preopens", "wasi:filesystem/types"),
    *("wasi:io/error", "wasi:io/poll", "wasi:io/streams"),
    *("wasi:random/insecure", "wasi:random/insecure-seed", "wasi:random/random"),
    *("wasi:sockets/instance-network", "wasi:sockets/ip-name-lookup", "wasi:sockets/network"),
    *("wasi:sockets/tcp", "wasi:sockets/tcp-create-socket"),
    *("wasi:sockets/udp", "wasi:sockets/udp-create-socket"),
)
_WASI_VERSION = re.compile(r"0\.2\.\d+")
_RUN = re.compile(r"wasi:cli/run@0\.2\.\d+")
_HTTP = "A guest has no network, so there is no wasi:http."


@dataclass(frozen=True)
class ComponentProgram:
    """A compiled component, and the name of its export wasi:cli/run."""

    component: component.Component
    run: str


def load_component(
    engine: wasmtime.Engine, path: Path, served: Collection[str]
) -> ComponentProgram:
    """Return the compiled component of a command; ``served`` are the interfaces besides WASI.

    Raises PipelineError: USAGE if the file cannot be read, GUEST_BUILD if it is not a component or
    exports no wasi:cli/run, GUEST_IMPORTS if it imports what there is not.
    """
    import wasmtime
    from wasmtime import component

    try:
        compiled = component.Component(engine, read_guest(path))
    except wasmtime.WasmtimeError as error:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is not a valid component.",
            where=str(path),
            detail=str(error),
        ) from None
    _check_imports(tuple(compiled.type.imports(engine)), path, served)
    exports = tuple(compiled.type.exports(engine))
    runs = [name for name in exports if _RUN.fullmatch(name)]
    if not runs:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The component does not export wasi:cli/run of WASI 0.2.",
            where=str(path),
            expected="wasi:cli/run@0.2",
            found=_list(exports) or "no exports",
            hint="Build it as a command: a program with a main, not a library.",
        )
    return ComponentProgram(compiled, runs[0])


def not_linkable(error: Exception, path: Path) -> PipelineError | None:
    """Return the error of a component whose import is not of the type that the host has."""
    text = str(error)
    if "but a matching implementation was not found" not in text:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return PipelineError(
        Code.GUEST_IMPORTS,
        "An import of the component has another type than the host's.",
        where=str(path),
        found=lines[0].partition(", but ")[0].removeprefix("component "),
        detail=text,
    )


def _check_imports(names: Collection[str], path: Path, served: Collection[str]) -> None:
    packages = {name.partition("/")[0]: name.rpartition("@")[2] for name in served}
    for name in names:
        package, version = name.partition("/")[0], name.rpartition("@")[2]
        if packages.get(package, version) != version:
            raise PipelineError(
                Code.GUEST_IMPORTS,
                f"The component imports another version of {package} than the host's.",
                where=str(path),
                expected=f"{package}@{packages[package]}",
                found=short_name(name),
                hint=f"Build it with the WIT package {package}@{packages[package]}.",
            )
    missing = [name for name in names if not _has(name, served)]
    if missing:
        http = any(name.startswith("wasi:http/") for name in missing)
        raise PipelineError(
            Code.GUEST_IMPORTS,
            "The component has unknown imports.",
            where=str(path),
            expected=f"{', '.join(served)}, and wasi:cli, clocks, filesystem, io, random and "
            "sockets @0.2",
            found=_list(missing),
            hint=_HTTP if http else "Compose it with a component that exports them.",
        )


def _has(name: str, served: Collection[str]) -> bool:
    interface, _, version = name.partition("@")
    return name in served or (interface in WASI and bool(_WASI_VERSION.fullmatch(version)))


def _list(names: Collection[str]) -> str:
    more = len(names) - SHOWN
    shown = ", ".join(short_name(name) for name in sorted(names)[:SHOWN])
    return shown + (f" and {more} more" if more > 0 else "")
