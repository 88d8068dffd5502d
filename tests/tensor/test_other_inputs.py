"""Arrays, texts, sounds and noise become tensors, exactly or not at all."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import (
    ElementType,
    Noise,
    Sound,
    StoredArray,
    Tensor,
    TokenText,
)
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.element_values import as_floats
from pipeline.tensor.make_tensor import make_tensor
from pipeline.tensor.noise import draw
from pipeline.tensor.sound import read_sound, read_wave, resampled
from pipeline.tensor.stored_array import array_shape, read_array
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


def test_a_shape_is_read_from_the_header_alone(tmp_path: Path) -> None:
    whole = numpy_file(numpy.zeros((2, 3)))
    (tmp_path / "a.npy").write_bytes(whole[:-8])
    assert array_shape(tmp_path / "a.npy", None, "x") == (2, 3)


@pytest.mark.parametrize("member", [None, "z", "../x"])
def test_a_member_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, member: str | None
) -> None:
    numpy.savez(tmp_path / "a.npz", x=numpy.zeros(3), y=numpy.zeros(3))
    with pytest.raises(PipelineError) as caught:
        read_array(tmp_path / "a.npz", StoredArray(source="a", member=member), (3,), "x")
    said(caught, "one of x, y")


def test_a_file_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    """The numbers of an array may be the bytes of an archive."""
    numpy.savez(tmp_path / "b.npz", x=numpy.zeros(2))
    array = numpy.frombuffer((tmp_path / "b.npz").read_bytes(), "u1")
    numpy.save(tmp_path / "a.npy", array)
    assert zipfile.is_zipfile(tmp_path / "a.npy")
    found = read_array(tmp_path / "a.npy", StoredArray(source="a"), array.shape, "x")
    assert (found == array).all()


def test_the_only_member_needs_no_name(tmp_path: Path) -> None:
    numpy.savez_compressed(tmp_path / "a.npz", numpy.arange(3))
    found = read_array(tmp_path / "a.npz", StoredArray(source="a"), (3,), "x")
    assert found.tolist() == [0, 1, 2]
    with pytest.raises(PipelineError) as caught:
        read_array(tmp_path / "a.npz", StoredArray(source="a", member="y"), (3,), "x")
    said(caught, "no such member", "arr_0", "y")


def damaged_archive(how: str) -> bytes:
    stream = io.BytesIO()
    numpy.savez_compressed(stream, x=numpy.arange(6.0).reshape(2, 3))
    data = bytearray(stream.getvalue())
    central = data.index(b"PK\x01\x02")
    match how:
        case "deflate":
            data[60:70] = b"\xff" * 10
        case "encrypted":
            data[6] |= 1
            data[central + 8] |= 1
        case "method":
            data[8] = data[central + 10] = 99
        case "lzma":
            data[8] = data[central + 10] = 14
        case "directory":
            data[central] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize("how", ["deflate", "encrypted", "method", "lzma", "directory"])
def test_a_damaged_archive_is_one_clear_error(tmp_path: Path, how: str) -> None:
    (tmp_path / "a.npz").write_bytes(damaged_archive(how))
    with pytest.raises(PipelineError) as caught:
        read_array(tmp_path / "a.npz", StoredArray(source="a"), (2, 3), "tensor.x")
    said(caught, "cannot be read", "tensor.x, a.npz")


def array_tensor(folder: Path, values: Any, kind: ElementType) -> Any:
    numpy.save(folder / "a.npy", values)
    table = Tensor(type=kind, array=StoredArray(source="a"))
    job = Job(
        inputs={"array": folder / "a.npy"},
        outputs={"tensor": folder / "a.raw"},
        parameters={"tensor": msgspec.to_builtins(table), "dims": list(values.shape)},
        scratch=folder,
        unkeyed={"name": "tensor.x"},
    )
    make_tensor(job)
    return as_floats(numpy.fromfile(folder / "a.raw", ELEMENT_TYPES[kind].dtype), kind)


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        # Pixels from 0 to 1 would all be 0.
        (numpy.linspace(0, 1, 6, dtype="f4"), "u8", "0.2"),
        (numpy.array([3.0, 7.5]), "i64", "7.5"),
        (numpy.array([-1.0, -0.5]), "i8", "-0.5"),
        # Ids that would become other ids.
        (numpy.array([1, 2049]), "f16", "2049"),
        (numpy.array([1, 2**24 + 1]), "f32", "16777217"),
        (numpy.array([257], "u2"), "bf16", "257"),
    ],
)
def test_no_whole_number_is_changed_in_silence(
    tmp_path: Path, values: Any, kind: ElementType, found: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        array_tensor(tmp_path, values, kind)
    said(caught, f"Type {kind} cannot represent the numbers", found)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (numpy.array([0.0, 255.0]), "u8"),
        (numpy.array([0, 2**24]), "f32"),
        (numpy.array([0.1, 0.2], "f4"), "f16"),
        (numpy.array([True, False]), "u8"),
        (numpy.array([1, 256]), "bf16"),
        (numpy.array([-(2**40), 2**40]), "i64"),
    ],
)
def test_numbers_that_a_type_has_are_carried(
    tmp_path: Path, values: Any, kind: ElementType
) -> None:
    made = array_tensor(tmp_path, values, kind)
    assert numpy.allclose(made, values, rtol=1e-3, atol=0)


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


def chunks(*parts: tuple[bytes, int, bytes], form: bytes = b"RIFF", size: int = -1) -> bytes:
    """Return a file of 16-bit samples at 16 kHz: chunks with their stated sizes."""
    head = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
    body = b"".join(
        name + struct.pack("<I", stated) + data
        for name, stated, data in ((b"fmt ", 16, head), *parts)
    )
    return form + struct.pack("<I", len(body) + 4 if size < 0 else size) + b"WAVE" + body


ONE, TWO = b"\x00\x40\x00\xc0", b"\x00\x20"
# The sizes of an RF64 file: of the whole, of the samples, their number, an empty table.
DS64 = (b"ds64", 28, struct.pack("<QQQI", 100, 4, 2, 0))


@pytest.mark.parametrize(
    ("data", "samples"),
    [
        (chunks((b"data", 4, ONE), (b"data", 2, TWO)), [0.5, -0.5, 0.25]),
        (chunks((b"data", 4, ONE), (b"LIST", 2, b"ab"), (b"data", 2, TWO)), [0.5, -0.5, 0.25]),
        # A program that could not go back to its header leaves such sizes.
        (chunks((b"data", 0, ONE), size=0), [0.5, -0.5]),
        (chunks((b"data", 0, ONE), size=36), [0.5, -0.5]),
        (chunks((b"data", 2**32 - 1, ONE), size=2**32 - 1), [0.5, -0.5]),
        (chunks((b"data", 0x7FFFF000, ONE), size=0x7FFFF024), [0.5, -0.5]),
        # A chunk of odd size without the zero that should follow.
        (chunks((b"JUNK", 3, b"abc"), (b"data", 4, ONE)), [0.5, -0.5]),
        (chunks((b"JUNK", 3, b"abc\0"), (b"data", 4, ONE)), [0.5, -0.5]),
        (chunks(DS64, (b"data", 2**32 - 1, ONE + b"id3 "), form=b"RF64"), [0.5, -0.5]),
        (chunks(DS64, (b"data", 2**32 - 1, ONE), form=b"BW64"), [0.5, -0.5]),
    ],
)
def test_samples_are_read_as_their_container_says(
    tmp_path: Path, data: bytes, samples: list[float]
) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    assert read_wave(tmp_path / "a.wav", "x").samples.ravel().tolist() == samples


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (chunks((b"data", 6, ONE)), ("truncated", "6 bytes", "4 bytes")),
        (chunks((b"data", 4, ONE), (b"data", 4, TWO)), ("truncated", "4 bytes", "2 bytes")),
        (chunks((b"ds64", 28, DS64[2]), (b"data", 2**32 - 1, TWO)), ("truncated", "4 bytes")),
        (chunks((b"data", 0, b"")), ("no samples",)),
        (chunks((b"data", 0, b""), (b"LIST", 4, b"abcd")), ("no samples",)),
    ],
)
def test_a_cut_sound_is_no_silence(tmp_path: Path, data: bytes, parts: tuple[str, ...]) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        read_wave(tmp_path / "a.wav", "x")
    said(caught, *parts)


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
