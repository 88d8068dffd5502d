"""What converting costs beside the bare converter: wall time and peak memory, as ratios.

Run `python benchmarks/convert.py [FIXTURE...]` in a project where these fixtures were built. The
commands run in turn, so that a machine whose speed drifts slows all; the medians count.
`wasi-nn convert` reads the IR once more, writes its canonical form and takes its digest. Its check
infers a seeded input with the IR, and several times with the source's framework. The bare converter
runs as it comes, and once more without reporting on its user, which takes it seconds in a thread.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.timing import Timed, timed
from pipeline.config.load_project import load_project
from pipeline.config.model_tables import Model
from pipeline.graph.all_steps import all_steps
from pipeline.graph.layout import Layout
from pipeline.model.convert.make_ir import TOOLCHAINS
from pipeline.telemetry import private_home
from pipeline.toolchain.environment import python_of

RUNS = 5
USUAL = ("squeezenet", "text-direction", "basic-pitch")


def main() -> None:
    """Print a line for each fixture that was built."""
    configs = load_project(ROOT)
    layout = Layout(configs)
    steps = {step.name: step for step in all_steps(layout)}
    for name in sys.argv[1:] or USUAL:
        model = configs.fixtures[name].model
        files = {
            label: path
            for label, path in steps[f"ir:{name}"].inputs.items()
            if label != "converter.stamp"
        }
        if not all(path.exists() for path in files.values()):
            print(f"{name}: not built")
            continue
        toolchain = TOOLCHAINS.get(model.framework)
        python = python_of(layout.environment(toolchain).folder) if toolchain else None
        ours, checked, bare, silent = [], [], [], []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as folder:
                given = placed(Path(folder), model, files)
                ours.append(timed([*convert(model, given), "--no-check"], ROOT))
                checked.append(timed(convert(model, given), ROOT))
                bare.append(timed(plain(model, given, python), Path(folder)))
                home = private_home(Path(folder))
                silent.append(timed(plain(model, given, python), Path(folder), home))
        print(f"{name:<16} bare {described(bare)}", flush=True)
        print(f"{'':<16} bare, no reports {described(silent)}", flush=True)
        for what, runs in (("--no-check", ours), ("checked", checked)):
            print(f"{'':<16} {what} {described(runs)}", flush=True)
            print(f"{'':<18} of bare {ratios(runs, bare)}", flush=True)
            print(f"{'':<18} of bare, no reports {ratios(runs, silent)}", flush=True)


def placed(folder: Path, model: Model, files: dict[str, Path]) -> list[Path]:
    """Copy a model's files to where both commands find them."""
    if model.framework == "tensorflow" and "graph" not in model.files:
        for label, path in files.items():
            target = folder / "net" / label
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        return [folder / "net"]
    endings = {"weights": ".caffemodel", "topology": ".prototxt", "params": ".pdiparams"}
    targets = []
    for label, path in files.items():
        ending = endings.get(label, {"paddle": ".pdmodel"}.get(model.framework, path.suffix))
        targets.append(folder / f"net{ending}")
        targets[-1].write_bytes(path.read_bytes())
    return targets


def convert(model: Model, files: Sequence[Path]) -> list[str]:
    """Return our own command."""
    inputs = []
    for name, given in model.inputs.items():
        inputs += ["--input", f"{name}[{','.join(map(str, given.shape))}]"]
    command = [sys.executable, "-m", "pipeline.cli.main", "convert", *map(str, files)]
    return [*command, "-o", str(files[0].parent / "ours"), *inputs]


def plain(model: Model, files: Sequence[Path], python: Path | None) -> list[str]:
    """Return the converter's own command."""
    names = ",".join(model.inputs)
    shapes = ",".join(f"[{','.join(map(str, given.shape))}]" for given in model.inputs.values())
    if python is None:
        inputs = ",".join(
            f"{name}[{','.join(map(str, given.shape))}]" for name, given in model.inputs.items()
        )
        program = Path(sys.executable).with_name("ovc")
        return [str(program), str(files[0]), "--output_model", "bare.xml", "--input", inputs]
    by_ending = {path.suffix: str(path) for path in files}
    return [
        *(str(python), "-W", "ignore", "-m", "openvino.tools.mo", "--framework", model.framework),
        *("--input_model", by_ending[".caffemodel"], "--input_proto", by_ending[".prototxt"]),
        *("--input", names, "--input_shape", shapes, "--output_dir", "bare"),
    ]


def described(runs: Sequence[Timed]) -> str:
    """Return the medians in words."""
    seconds, cpu, memory = medians(runs)
    return f"{seconds:.2f} s, {cpu:.2f} s of processor, {memory / 2**20:.0f} MiB"


def ratios(ours: Sequence[Timed], bare: Sequence[Timed]) -> str:
    """Return the ratios of the medians."""
    time, cpu, memory = (a / b for a, b in zip(medians(ours), medians(bare), strict=True))
    return f"ratio {time:.2f} of time, {cpu:.2f} of processor time, {memory:.2f} of memory"


def medians(runs: Sequence[Timed]) -> tuple[float, float, float]:
    """Return the medians of wall time, processor time and memory."""
    return (
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu for run in runs),
        statistics.median(run.memory for run in runs),
    )


if __name__ == "__main__":
    main()
