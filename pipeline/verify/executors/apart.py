"""Frameworks that run in a process of their own, on the Python that has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.model.direct import PROGRAMS as MODEL_PROGRAMS
from pipeline.verify.executors.executor import Answer, Question
from pipeline.work.process import run_process

_PROGRAMS = Path(__file__).with_name("programs")


def run_apart(framework: str, question: Question) -> Answer:
    """Run a model by the program ``infer_<framework>.py``; arrays travel as .npz files."""
    import numpy

    folder = question.folder
    numpy.savez(folder / "inputs.npz", *(a for draw in question.draws for a in draw.values()))
    order = {
        "files": {label: str(path.absolute()) for label, path in question.files.items()},
        "inputs": list(question.inputs),
        "outputs": list(question.outputs),
        "draws": len(question.draws),
        "measure": question.moved is not None,
        "architecture": question.architecture,
    }
    (folder / "home").mkdir()
    kept = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH")
    finished = run_process(
        # -P came with Python 3.11, and some frameworks need an older one.
        [question.python, "-s", _PROGRAMS / f"infer_{framework}.py", json.dumps(order)],
        seconds=question.seconds,
        cwd=folder,
        env={
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(folder / "home"),
            "USERPROFILE": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(map(str, (_PROGRAMS, MODEL_PROGRAMS))),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    answer = folder / "outputs.npz"
    if finished.returncode != 0 or not answer.exists():
        raise PipelineError(
            Code.VERIFY,
            f"{framework} could not run the model for the golden check.",
            where=", ".join(path.name for path in question.files.values()),
            found=f"exit status {finished.returncode}",
            hint="If a name is unknown, correct [golden.inputs] or [golden.outputs].",
            detail=finished.last_lines(),
        )
    with numpy.load(answer, allow_pickle=False) as stored:
        count = len(question.outputs)
        arrays = [stored[f"arr_{index}"] for index in range(int(stored["count"]))]
        found = [arrays[start : start + count] for start in range(0, len(arrays), count)]
        levels = [bool(level) for level in stored["levels"]]
        return Answer(found[0], str(stored["version"]), found[1:], levels)
