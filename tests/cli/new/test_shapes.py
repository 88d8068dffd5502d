"""Shapes and layouts: what they tell of an input, and what is filled in."""

from __future__ import annotations

import pytest

from pipeline.cli.new.prompts import Answer, Question, take_defaults
from pipeline.cli.new.shapes import parse_shape, picture_layout, resolve_shape
from pipeline.config.model_tables import Framework
from pipeline.errors import PipelineError
from pipeline.model.inspect.model_interface import TensorInfo


@pytest.mark.parametrize(
    ("shape", "framework", "layout"),
    [
        ((1, 3, 224, 224), "onnx", "NCHW"),
        ((1, 224, 224, 3), "onnx", "NHWC"),
        ((None, None, None, 3), "tflite", "NHWC"),
        ((None, 3, None, None), "onnx", "NCHW"),
        ((None, None, None, None), "tensorflow", "NHWC"),
        ((1, 1, 28, 28), "pytorch", "NCHW"),
        ((1, 28, 28, 1), "tflite", "NHWC"),
        ((1, 4, 64, 64), "onnx", "NCHW"),
        # Both ends could be channels: the framework's own order tells.
        ((1, 4, 4, 4), "tflite", "NHWC"),
        ((1, 4, 4, 4), "onnx", "NCHW"),
        ((3, 32, 32), "onnx", "CHW"),
        ((32, 32, 3), "tflite", "HWC"),
        ((10, 3, 227, 227), "caffe", "NCHW"),
        ((10, 3, 227, 227), "onnx", ""),
        ((1, 512, 7, 7), "onnx", ""),
        ((1, 3, 1, 128), "onnx", ""),
        ((1, 43844, 1), "tensorflow", ""),
        ((1, 16000), "onnx", ""),
        ((), "onnx", ""),
    ],
)
def test_the_channels_tell_the_layout(
    shape: tuple[int | None, ...], framework: Framework, layout: str
) -> None:
    assert picture_layout(shape, framework) == layout


@pytest.mark.parametrize(
    ("name", "kind", "shape", "filled"),
    [
        ("x", "f32", (None, 3, None, None), (1, 3, 224, 224)),
        ("x", "f32", (None, 3, 48, None), (1, 3, 48, 48)),
        ("ids", "i64", (None, None), (1, 16)),
        ("audio", "f32", (None, None), (1, 16000)),
        ("features", "f32", (None, 40), (1, 40)),
        ("sr", "i64", (), (1,)),
    ],
)
def test_what_any_size_will_do_for_is_filled(
    name: str, kind: str, shape: tuple[int | None, ...], filled: tuple[int, ...]
) -> None:
    border = TensorInfo(name=name, type=kind, shape=shape)
    assert resolve_shape(border, "onnx", {}, False, take_defaults).shape == filled


def test_a_person_is_asked_for_an_open_shape_and_the_guess_is_the_default() -> None:
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return Answer(["3x4", "1x3x48x320"][len(asked) - 1], known=True)

    border = TensorInfo(name="x", type="f32", shape=(None, 3, None, None))
    settled = resolve_shape(border, "onnx", {}, True, answer)
    assert [each.default for each in asked] == ["1x3x224x224", "1x3x224x224"]
    assert settled.shape == (1, 3, 48, 320)
    assert settled.layout == "NCHW"
    assert settled.why.startswith("as answered")


def test_nobody_is_asked_how_many_there_are_at_once() -> None:
    def nobody(question: Question) -> Answer:
        raise AssertionError(question)

    border = TensorInfo(name="x", type="f32", shape=(None, 3, 32, 32))
    assert resolve_shape(border, "onnx", {}, True, nobody).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("shape", [(None, None), (2, None, 128), (1, 512, None, 7), None])
def test_what_nobody_can_guess_is_asked_by_its_flag(shape: tuple[int | None, ...] | None) -> None:
    border = TensorInfo(name="state", type="f32", shape=shape)
    with pytest.raises(PipelineError) as caught:
        resolve_shape(border, "onnx", {}, False, take_defaults)
    assert caught.value.expected.startswith("--shape state=")


@pytest.mark.parametrize("text", ["", "x", "1x", "1x0", "1x-3", "1x3.5", "a"])
def test_a_text_that_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_shape(text)


def test_a_shape_may_be_written_in_three_ways() -> None:
    assert parse_shape("1x3x8") == parse_shape("[1,3,8]") == parse_shape("1×3×8") == (1, 3, 8)


def test_the_option_for_an_unknown_shape_has_the_models_rank() -> None:
    rows = TensorInfo(name="rows", type="f32", shape=(None, 5, None))
    with pytest.raises(PipelineError) as caught:
        resolve_shape(rows, "onnx", {}, False, take_defaults)
    assert caught.value.expected == "--shape rows=1x5x48, with your sizes"
