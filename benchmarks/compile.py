"""What a guest's code costs: compiled the first time, and loaded whenever it runs again.

Run `python benchmarks/compile.py [GUEST.wasm...]`, else on the guests that are built. Each is made
one that Wasmtime's cache has not seen; then its code is loaded again and again, and the slowest of
these counts too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.guest_program import load_program
from pipeline.host.sandbox.limited import start_engine

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 15


def unseen(wasm: Path, folder: Path) -> Path:
    """Return a copy of a guest with a custom section that no other has."""
    name = str(time.time_ns()).encode()
    copy = folder / wasm.name
    copy.write_bytes(wasm.read_bytes() + bytes([0, len(name) + 1, len(name)]) + name)
    return copy


def main() -> None:
    """Print a line for each guest."""
    built = (ROOT / "artifacts").glob("*/*.wasm"), (ROOT / "artifacts/.steps/guests").glob("*.wasm")
    found = {wasm.name: wasm for each in built for wasm in each}
    guests = [Path(each) for each in sys.argv[1:]] or [found[name] for name in sorted(found)]
    with tempfile.TemporaryDirectory() as name:
        for wasm in guests:
            copy = unseen(wasm, Path(name))
            times = []
            for _ in range(ROUNDS):
                # As each process does.
                started = time.perf_counter()
                load_program(start_engine(Command(wasm=copy)), copy, 1 << 30)
                times.append((time.perf_counter() - started) * 1e3)
            first, *later = times
            print(
                f"{wasm.name}: compiled in {first:.0f} ms, then loaded in {min(later):.1f} to "
                f"{max(later):.1f} ms"
            )


if __name__ == "__main__":
    main()
