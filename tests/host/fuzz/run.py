"""Fuzzes a host: each seed is a memory and a sequence of calls, made by a guest in the sandbox.

As a program, `python -m tests.host.fuzz.run FOLDER FIRST COUNT` does so for seeds in order. It
writes the seed that it is at into FOLDER/at, so that one that ends or hangs the process is known,
and prints what went wrong, a line a seed; in the end how the calls were answered, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.host.abi import enums
from pipeline.host.abi.witx import Witx
from pipeline.host.backend import Tuning
from pipeline.host.backend_registry import Backends
from pipeline.host.graph_registry import GraphRegistry, NamedGraph
from pipeline.host.model_types import Encoding
from pipeline.host.sandbox.guest_command import Command, Preopen
from pipeline.host.sandbox.run_guest import ModuleGuest, run_command
from pipeline.host.session.session import Session
from pipeline.host.wasi_nn import Calls
from tests.host.fuzz.calls import sequence
from tests.host.fuzz.guest import write_interpreter
from tests.host.fuzz.memory import NAMES, save_models, spoilt, whole_image
from tests.host.fuzz.watch import Watch

if TYPE_CHECKING:
    import wasmtime

_SECONDS = 30.0
_MEMORY = 1 << 20
_OTHERS = {Encoding.ONNX: "onnxruntime", Encoding.TENSORFLOWLITE: "litert"}


class Fuzzer:
    """The guest, the models and the hosts in a folder, made once."""

    def __init__(self, folder: Path) -> None:
        models = folder / "models"
        if not models.exists():
            save_models(models)
        self._image = whole_image(models)
        self._wasm = write_interpreter(folder)
        self._shared = folder / "in"
        self._shared.mkdir(exist_ok=True)
        self._graphs = [NamedGraph(name, models / name) for name in NAMES]
        backends = [Backends(chosen, Tuning(threads=1)) for chosen in ({}, _OTHERS)]
        self._hosts = [(each, GraphRegistry(each)) for each in backends]
        self.answers: Counter[tuple[str, int]] = Counter()

    def run(self, seed: int) -> None:
        """Run one sequence; raises AssertionError and PipelineError for what must not be."""
        chance = random.Random(seed)
        calls = sequence(chance, self._image)
        (self._shared / "script").write_bytes(bytes(spoilt(self._image, chance)) + calls)
        backends, registry = chance.choice(self._hosts)
        said: list[str] = []
        trace = said.append if chance.random() < 0.1 else None
        watches: list[Watch] = []

        def serve(linker: wasmtime.Linker, _store: wasmtime.Store) -> Calls:
            from pipeline.host.sandbox.host_callbacks import HostCallbacks

            session = Session(registry.named(self._graphs), backends)
            face = Witx(
                session,
                on_message=said.append,
                succeeded=dict.fromkeys(enums.FUNCTIONS, 0),
                trace=trace,
            )
            watches.append(Watch(face))
            callbacks = HostCallbacks(one_instance=chance.random() < 0.5, reraised=True)
            for name, parameters in enums.FUNCTIONS.items():
                function = watches[0].function(name)
                callbacks.define(linker, enums.MODULE, name, len(parameters), function)
            return Calls(lambda _calls: face)

        command = Command(
            wasm=self._wasm,
            dirs=(Preopen(host=self._shared, guest="in"),),
            seconds=_SECONDS,
            memory=_MEMORY,
        )
        ended = run_command(command, ModuleGuest(modules=(enums.MODULE,), serve=serve))
        self.answers.update(watches[0].answers)
        assert ended.exit_code == 0
        failed = [text for text in said if "the host failed" in text or "Traceback" in text]
        assert not failed, failed[0]


def main() -> None:
    """Fuzz the seeds of the command line."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    fuzzer = Fuzzer(folder)
    wrong = 0
    for seed in range(first, first + count):
        (folder / "at").write_text(str(seed))
        try:
            fuzzer.run(seed)
        except (AssertionError, PipelineError) as error:
            wrong += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
        except Exception:
            wrong += 1
            print(f"seed {seed}: {traceback.format_exc()}", flush=True)
    (folder / "at").write_text("done")
    calls = {f"{name} {errno}": n for (name, errno), n in sorted(fuzzer.answers.items())}
    print(json.dumps({"wrong": wrong, "calls": calls}))


if __name__ == "__main__":
    main()
