"""Arrays, texts, sounds and noise become tensors, exactly or not at all."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import Noise, Sound, StoredArray, Tensor, TokenText
from pipeline.errors import Code, PipelineError
from pipeline.tensor.noise import draw
from pipeline.tensor.sound import read_sound, read_wave, resampled
from pipeline.tensor.stored_array import read_array
from pipeline.tensor.tokens import token_ids


def said(caught: pytest.ExceptionInfo[PipelineError], *parts: str) -> None:
    assert caught.value.code is Code.TENSOR
    text = caught.value.render()
    for part in parts:
        assert part in text


@pytest.mark.parametrize("kind", ["<f4", ">f8", "u1", "<i8", "?", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_read_as_numpy_saved_it(tmp_path: Path, kind: str, order: Any) -> None:
    array = numpy.asarray(numpy.arange(24).reshape(2, 3, 4) % 2, kind, order=order)
    numpy.save(tmp_path / "a.npy", array)
    numpy.savez_compressed(tmp_path / "a.npz", x=array, y=array[0])
    one = read_array(tmp_path / "a.npy", StoredArray(source="a"), (2, 3, 4), "x")
    other = read_array(tmp_path / "a.npz", StoredArray(source="a", member="x"), (2, 3, 4), "x")
    assert (one == array).all()
    assert (other == array).all()


def numpy_file(array: Any) -> bytes:
    stream = io.BytesIO()
    numpy.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (numpy_file(numpy.zeros((2, 2))), ("shape differs", "2x3", "2x2")),
        (numpy_file(numpy.array([[{}, 1, 2]] * 2)), ("not numbers", "object")),
        (numpy_file(numpy.zeros((2, 3), complex)), ("not numbers", "complex")),
        (numpy_file(numpy.full((2, 3), numpy.nan)), ("NaN or infinite", "nan at [0, 0]")),
        (numpy_file(numpy.zeros((2, 3)))[:-1], ("truncated", "48 bytes", "47 bytes")),
        (numpy_file(numpy.zeros((2, 3))) + b"x", ("too long", "more")),
        (b"", ("cannot be read",)),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4', ", ("cannot be read",)),
        (b"<html></html>", ("cannot be read",)),
    ],
)
def test_an_array_that_does_not_fit_is_one_clear_error(
    tmp_path: Path, data: bytes, parts: tuple[str, ...]
) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        read_array(tmp_path / "a.npy", StoredArray(source="a"), (2, 3), "tensor.x")
    said(caught, "tensor.x, a.npy", *parts)


@pytest.mark.parametrize("member", [None, "z", "../x"])
def test_a_member_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, member: str | None
) -> None:
    numpy.savez(tmp_path / "a.npz", x=numpy.zeros(3), y=numpy.zeros(3))
    with pytest.raises(PipelineError) as caught:
        read_array(tmp_path / "a.npz", StoredArray(source="a", member=member), (3,), "x")
    said(caught, "one of x, y")


def words(tmp_path: Path, text: str, count: int, **options: Any) -> list[float]:
    (tmp_path / "text").write_text(text)
    (tmp_path / "words").write_text("[PAD]\nthe\ncat\nsat\n")
    tokens = TokenText(source="text", vocabulary="words", **options)
    found = token_ids(tmp_path / "text", tmp_path / "words", tokens, count, "x")
    return [float(each) for each in found]


def test_words_become_their_lines_padded_or_cut_off(tmp_path: Path) -> None:
    assert words(tmp_path, "the cat\n sat", 5) == [1, 2, 3, 0, 0]
    assert words(tmp_path, "the cat sat the", 2) == [1, 2]
    assert words(tmp_path, "The dog", 3, lower=True, unknown=9, pad=7) == [1, 9, 7]
    with pytest.raises(PipelineError) as caught:
        words(tmp_path, "the dog", 3)
    said(caught, "'dog'", "one of the 4 words", "unknown")


def write_wave(path: Path, samples: Any, rate: int, width: int) -> Path:
    """Write whole numbers of ``width`` bytes, frames × channels, by Python's own writer."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(samples.shape[1])
        stream.setsampwidth(width)
        stream.setframerate(rate)
        parts = samples.astype("<i4").reshape(-1)
        if width == 1:
            stream.writeframes((parts + 128).astype("u1").tobytes())
        else:
            stream.writeframes(parts.view("u1").reshape(-1, 4)[:, :width].tobytes())
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_whole_samples_are_shares_of_their_greatest(tmp_path: Path, width: int) -> None:
    top = 2 ** (8 * width - 1)
    samples = numpy.array([[-top, top - 1], [0, top // 2]])
    found = read_wave(write_wave(tmp_path / "a.wav", samples, 8000, width), "x")
    assert found.rate == 8000
    assert found.samples.tolist() == [[-1.0, (top - 1) / top], [0.0, 0.5]]


def riff(kind: int, bits: int, body: bytes, channels: int = 1) -> bytes:
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, 16000, 16000 * frame, frame, bits)
    parts = b"fmt " + struct.pack("<I", 16) + head + b"LIST\x03\0\0\0abc\0"
    parts += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


@pytest.mark.parametrize("bits", [32, 64])
def test_samples_may_be_floats_after_other_chunks(tmp_path: Path, bits: int) -> None:
    body = numpy.array([0.5, -0.25], f"<f{bits // 8}").tobytes()
    (tmp_path / "a.wav").write_bytes(riff(3, bits, body))
    assert read_wave(tmp_path / "a.wav", "x").samples.tolist() == [[0.5], [-0.25]]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "not a WAV"),
        (b"RIFF\0\0\0\0WAVE", "truncated"),
        (riff(1, 12, b"abc"), "sample format"),
        (riff(85, 16, b"abcd"), "format 85"),
        (riff(1, 16, b""), "no samples"),
        (riff(1, 16, b"ab", channels=0), "0 channels"),
        (riff(3, 32, numpy.array([numpy.nan], "<f4").tobytes()), "NaN or infinite"),
    ],
)
def test_what_is_no_sound_is_one_clear_error(tmp_path: Path, data: bytes, part: str) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        read_wave(tmp_path / "a.wav", "tensor.x")
    said(caught, part, "tensor.x, a.wav")


def test_channels_are_averaged_or_one_is_taken_and_silence_follows(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", numpy.array([[64, 0], [0, 32], [64, 64]]), 1000, 1)
    at = Sound(source="a", rate=1000)
    assert read_sound(path, at, 4, "x").tolist() == [0.25, 0.125, 0.5, 0.0]
    second = Sound(source="a", rate=1000, start=0.001, channel=1)
    assert read_sound(path, second, 2, "x").tolist() == [0.25, 0.5]
    for wrong in (Sound(source="a", rate=1000, channel=2), Sound(source="a", rate=1000, start=1)):
        with pytest.raises(PipelineError):
            read_sound(path, wrong, 2, "x")


@settings(max_examples=30)
@given(st.sampled_from([8000, 11025, 16000, 44100, 48000]), st.sampled_from([8000, 16000, 22050]))
def test_a_tone_stays_that_tone_at_another_rate(rate: int, wanted: int) -> None:
    tone = numpy.sin(2 * numpy.pi * 440 * numpy.arange(rate) / rate)
    made = resampled(tone, rate, wanted)
    assert len(made) == wanted
    exact = numpy.sin(2 * numpy.pi * 440 * numpy.arange(wanted) / wanted)
    inner = slice(wanted // 20, -wanted // 20)
    assert numpy.abs(made - exact)[inner].max() < 2e-3


def test_what_is_above_half_of_the_new_rate_is_gone() -> None:
    high = numpy.sin(2 * numpy.pi * 15000 * numpy.arange(44100) / 44100)
    assert numpy.abs(resampled(high, 44100, 16000)[800:-800]).max() < 0.01


def test_a_part_is_what_it_would_be_of_the_whole(tmp_path: Path) -> None:
    samples = numpy.random.default_rng(1).integers(-9000, 9000, (30000, 1))
    path = write_wave(tmp_path / "a.wav", samples, 44100, 2)
    whole = resampled(read_wave(path, "x").samples[:, 0], 44100, 16000)
    assert (read_sound(path, Sound(source="a", rate=16000), 500, "x") == whole[:500]).all()


def test_noise_is_of_its_seed_and_within_its_bounds() -> None:
    noise = Noise(seed=7, low=-2, high=3)
    one, other = (draw(noise, 1000, whole=whole) for whole in (False, True))
    assert (draw(noise, 1000, whole=False) == one).all()
    assert -2 <= one.min() < -1.9
    assert 2.9 < one.max() < 3
    assert set(other.tolist()) == {-2, -1, 0, 1, 2, 3}


@pytest.mark.parametrize(
    ("made_of", "path"),
    [
        ({"noise": Noise(seed=1, low=2, high=1), "type": "f32"}, ("noise", "high")),
        ({"noise": Noise(seed=1, low=0.5), "type": "u8"}, ("noise", "low")),
        ({"sound": Sound(source="a", rate=8000), "type": "i32"}, ("type",)),
        ({"text": TokenText(source="a", vocabulary="b", pad=300), "type": "u8"}, ("text", "pad")),
        ({"array": StoredArray(source="a"), "type": "f32", "colour": "RGB"}, ("colour",)),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    made_of: dict[str, Any], path: tuple[str, ...]
) -> None:
    findings = check_tensor(Tensor(**made_of), (1, 4), "x")
    assert path in [finding.path for finding in findings]
