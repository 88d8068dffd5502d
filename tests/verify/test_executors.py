"""An executor loads a model once, and answers to it as often as it is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from pipeline.verify.executors import EXECUTORS
from pipeline.verify.executors.executor import Answer, Question
from pipeline.verify.noise import DRAWS, moved
from pipeline.work.process import run_process
from tests.host.made_models import quantised_tflite, tflite_model
from tests.tiny import write_model

PIXELS = numpy.random.default_rng(3).uniform(0, 255, (1, 3, 8, 8)).astype(numpy.float32)


def question(path: Path, given: dict[str, Any], output: str, **other: Any) -> Question:
    folder = path.parent / str(len(list(path.parent.iterdir())))
    folder.mkdir()
    return Question(
        files={"model": path},
        inputs=given,
        outputs=[output],
        architecture=None,
        folder=folder,
        python=Path(sys.executable),
        seconds=60,
        **other,
    )


def test_onnxruntime_makes_one_session_for_all_draws_and_a_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    levels = []
    real = onnxruntime.InferenceSession

    def counted(path: Path, options: Any, **other: Any) -> Any:
        levels.append(options.graph_optimization_level)
        return real(path, options, **other)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    write_model(tmp_path / "net.onnx")
    draws = moved({"x": PIXELS}, quantised=False)
    run = EXECUTORS["onnxruntime"].run
    answer = run(question(tmp_path / "net.onnx", {"x": PIXELS}, "y", moved=draws))
    assert len(levels) == 2
    assert levels[1] == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL != levels[0]
    assert len(answer.others) == DRAWS + 1
    for draw, other in zip(draws, answer.others, strict=False):
        alone = run(question(tmp_path / "net.onnx", draw, "y"))
        assert (alone.outputs[0] == other[0]).all()
        assert not alone.others


def test_a_framework_apart_starts_once_for_all_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def counted(*arguments: Any, **other: Any) -> Any:
        started.append(arguments)
        return run_process(*arguments, **other)

    monkeypatch.setattr("pipeline.verify.executors.apart.run_process", counted)
    answer, given = asked(tmp_path, tflite_model())
    assert len(started) == 1
    assert len(answer.others) == DRAWS
    assert answer.levels == [False]
    assert any((other[0] != answer.outputs[0]).any() for other in answer.others)
    assert answer.outputs[0].dtype == given.dtype == numpy.float32


def test_litert_tells_the_levels_of_a_quantised_network(tmp_path: Path) -> None:
    answer, _ = asked(tmp_path, quantised_tflite(3, 128))
    assert answer.levels == [True]
    assert len(answer.others) > DRAWS


def asked(folder: Path, model: bytes) -> tuple[Answer, Any]:
    """Return LiteRT's answer to a model of one input and one output, and what it was fed."""
    from ai_edge_litert.interpreter import Interpreter

    (folder / "net.tflite").write_bytes(model)
    interpreter = Interpreter(model_content=model)
    [given], [made] = interpreter.get_input_details(), interpreter.get_output_details()
    random = numpy.random.default_rng(3).uniform(0, 100, given["shape"])
    inputs = {given["name"]: random.astype(given["dtype"])}
    draws = moved(inputs, quantised=bool(given["quantization"][0]))
    path = folder / "net.tflite"
    answer = EXECUTORS["litert"].run(question(path, inputs, made["name"], moved=draws))
    return answer, inputs[given["name"]]
