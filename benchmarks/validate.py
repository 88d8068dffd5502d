"""`wasi-nn validate` on a fixture of 1 GB, beside `sha256sum` of its files and the inference alone.

The fixture has a network of 512 MB, which lies there under two names. Prints ratios of one run, the
lowest of three rounds of each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.tiny import Project, make_project

_ROUNDS = 3
_OUTPUTS = 680_000


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="wasi-nn-") as name:
        tools = Path(os.environ.get("WASI_NN_TOOLCHAINS", Path(name) / "toolchains"))
        project = make_project(Path(name) / "project", tools)
        _enlarge(project)
        built = project.doit(seconds=1200)
        assert built.returncode == 0, built.output
        folder = project.folder
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        wasi_nn = (sys.executable, "-m", "pipeline.cli.main")
        commands: dict[str, Sequence[object]] = {
            "sums": ("sha256sum", "--quiet", "-c", "SHA256SUMS"),
            "run": (
                *(*wasi_nn, "run", "--graph", f"openvino::{folder}", "--dir", f"{folder}::fixture"),
                *(folder / "classify.wasm", "--", "--graph", "tiny", "red"),
            ),
            "validate": (*wasi_nn, "validate", folder),
            "files alone": (*wasi_nn, "validate", "--no-run", folder),
        }
        rounds = [
            {key: _timed(folder, each) for key, each in commands.items()} for _ in range(_ROUNDS)
        ]
        least = {key: min(each[key] for each in rounds) for key in commands}
        print(f"a fixture of {size / 1e6:.0f} MB")
        whole = least["sums"] + least["run"]
        print(f"validate / (sha256sum + inference): {least['validate'] / whole:.2f}  (reach 1.2)")
        print(f"validate --no-run / sha256sum: {least['files alone'] / least['sums']:.2f}")


def _enlarge(project: Project) -> None:
    """Give the project a large network, and one case."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy.random.default_rng(7).standard_normal((192, _OUTPUTS), numpy.float32)
    # So that it is known which output is the largest.
    weights[:, 0] = 1
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["y"]),
        ],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, _OUTPUTS])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(project.root / "tiny.onnx"))
    text = project.config.read_text()
    red, _, rest = text.partition("[tensor.blue.x]")
    text = red + "[guest]" + rest.partition("[guest]")[2]
    text = text.replace(
        'seconds = 20\nmemory = "64 MiB"', 'load = "name"\nseconds = 300\nmemory = "64 MiB"'
    )
    text = text.partition("[expect.red]")[0] + "[expect.red]\ntop1 = 0\n"
    project.config.write_text(text)


def _timed(folder: Path, command: Sequence[object]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [str(part) for part in command], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
