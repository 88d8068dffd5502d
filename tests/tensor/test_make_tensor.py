"""The step writes just the bytes that its name promises, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from PIL import Image

from pipeline.config.tensor_tables import Signal, Tensor
from pipeline.errors import PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.make_tensor import make_tensor
from pipeline.tensor.signal import synthesise

CHORD = Signal(rate=22050, frequencies=(440.0, 554.365, 659.255), harmonics=4, peak=0.5)


def make(folder: Path, tensor: Tensor, dims: tuple[int, ...], **inputs: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    parameters: dict[str, Any] = {
        "dims": list(dims),
        "tensor": msgspec.to_builtins(tensor),
    }
    job = Job(
        inputs=inputs,
        outputs={"tensor": folder / "t"},
        parameters=parameters,
        scratch=folder,
        unkeyed={"name": "x: tensor.cat.data"},
    )
    make_tensor(job)
    return (folder / "t").read_bytes()


def picture(folder: Path) -> Path:
    Image.new("RGB", (4, 4), (1, 2, 3)).save(folder / "p.png")
    return folder / "p.png"


def image(**given: Any) -> Tensor:
    fields: dict[str, Any] = {
        "type": "f32",
        "image": "p",
        "resize": "opencv-linear",
        "colour": "BGR",
        "layout": "NCHW",
        "range": "0-255",
    }
    return Tensor(**{**fields, **given})


def test_a_picture_fills_its_planes(tmp_path: Path) -> None:
    data = make(tmp_path, image(), (1, 3, 2, 2), image=picture(tmp_path))
    assert numpy.frombuffer(data, "<f4").tolist() == [3] * 4 + [2] * 4 + [1] * 4


@pytest.mark.parametrize(
    ("tensor", "dims", "word"),
    [
        (image(mean=(1.0, 2.0)), (1, 3, 2, 2), "2 values for 3 channels"),
        (image(scale=(1.0,)), (1, 3, 2, 2), "1 values for 3 channels"),
        (image(colour="GRAY"), (1, 3, 2, 2), "1 channels"),
        (image(layout="NHWC"), (1, 3, 2, 2), "3 channels"),
        (image(), (2, 3, 2, 2), "one image"),
        (image(), (3, 2, 2), "one image"),
        (image(resize=None), (1, 3, 2, 2), "no resize"),
        (image(type="u8", range="0-1"), (1, 3, 2, 2), "0-1"),
        (image(type="i64", mean=(1.0, 2.5, 3.0)), (1, 3, 2, 2), "minus the mean"),
        (Tensor(type="f32"), (1, 3, 2, 2), "needs exactly one origin"),
        (image(signal=CHORD), (1, 3, 2, 2), "needs exactly one origin"),
        (Tensor(type="u8", signal=CHORD), (1, 10), "between -1 and 1"),
        (Tensor(type="f32", signal=CHORD, mean=(1.0,)), (1, 10), "no mean"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    tmp_path: Path, tensor: Tensor, dims: tuple[int, ...], word: str
) -> None:
    with pytest.raises(PipelineError, match=word):
        make(tmp_path, tensor, dims, image=picture(tmp_path))
    assert not (tmp_path / "t").exists()


def test_the_chord_has_its_peaks_where_they_are_declared() -> None:
    samples = synthesise(CHORD, 43844)
    spectrum = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples))))
    frequencies = numpy.fft.rfftfreq(len(samples), 1 / CHORD.rate)
    for fundamental in CHORD.frequencies:
        for harmonic in range(1, 5):
            near = numpy.abs(frequencies - harmonic * fundamental) < 3
            peak = spectrum[near].max()
            around = numpy.abs(frequencies - harmonic * fundamental - 12) < 4
            assert peak > 10 * spectrum[around].max()


def test_harmonics_fall_as_they_are_declared() -> None:
    alone = Signal(rate=22050, frequencies=(441.0,), harmonics=4, peak=0.5)
    # A whole number of periods, so that each harmonic has a bin of its own.
    spectrum = numpy.abs(numpy.fft.rfft(synthesise(alone, 22050)))
    first = spectrum[441]
    for harmonic in range(1, 5):
        assert spectrum[441 * harmonic] / first == pytest.approx(1 / harmonic, rel=1e-3)
    assert spectrum[441 * 5] < first / 1000


def test_the_chord_is_as_loud_as_declared_and_in_steps_of_16_bit() -> None:
    samples = synthesise(CHORD, 43844)
    assert numpy.abs(samples).max() == pytest.approx(0.5, abs=1 / 32768)
    assert (samples * 32768 == numpy.rint(samples * 32768)).all()
    assert samples[0] == 0


def test_a_signal_is_written_in_its_shape(tmp_path: Path) -> None:
    data = make(tmp_path, Tensor(type="f32", signal=CHORD), (1, 100, 1))
    assert (numpy.frombuffer(data, "<f4") == synthesise(CHORD, 100)).all()


def test_a_harmonic_above_half_the_rate_is_refused(tmp_path: Path) -> None:
    sharp = Signal(rate=8000, frequencies=(1000.0,), harmonics=4, peak=0.5)
    with pytest.raises(PipelineError, match="highest harmonic"):
        make(tmp_path, Tensor(type="f32", signal=sharp), (1, 10))
