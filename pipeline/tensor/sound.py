"""Read WAV files (8- to 32-bit integers, or floats), mix to one channel and resample."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.tensor_tables import Sound
from pipeline.errors import Code, PipelineError

_MOST_BYTES = 1 << 30
# RF64 has the 64-bit sizes of a file whose 32-bit ones are all ones.
_FORMS, _IN_DS64 = (b"RIFF", b"RF64", b"BW64"), 0xFFFFFFFF
# Programs that write to a pipe leave such a size, which is more than we read.
_UNKNOWN = 0x7FFF0000
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Zero crossings of the sinc on each side of its centre.
_CROSSINGS = 16


@dataclass(frozen=True)
class Wave:
    """Samples from -1 to 1, frames × channels in float64, and the rate in frames per second."""

    samples: Any
    rate: int


def read_sound(path: Path, sound: Sound, count: int, name: str) -> Any:
    """Return ``count`` samples in float64 of one channel at the declared rate.

    Channels are averaged, or one is selected; the part from ``start`` is resampled and padded with
    silence. Raises PipelineError (TENSOR).
    """
    import numpy

    wave = read_wave(path, name)
    channels = wave.samples.shape[1]
    if sound.channel is not None and sound.channel >= channels:
        raise _refused(path, name, "The sound has no such channel.", f"below {channels}")
    whole = sound.channel is None
    single = wave.samples.mean(axis=1) if whole else wave.samples[:, sound.channel]
    first = round(sound.start * wave.rate)
    if first >= len(single):
        length = f"at most {len(single) / wave.rate:.3f} s"
        raise _refused(path, name, "start is beyond the end of the sound.", length)
    # Only as many samples as needed, plus the width of the kernel.
    reach = math.ceil(count * wave.rate / sound.rate) + 2 * _CROSSINGS * max(
        1, math.ceil(wave.rate / sound.rate)
    )
    made = resampled(single[first : first + reach], wave.rate, sound.rate)[:count]
    return numpy.concatenate([made, numpy.zeros(count - len(made))])


def resampled(samples: Any, rate: int, wanted: int) -> Any:
    """Resample by a Hann-windowed sinc with 16 zero crossings on each side.

    When downsampling, the sinc is widened to cut off at half of the new rate. The weights of each
    new sample are normalized to sum to 1, so a constant signal is preserved.
    """
    import numpy

    if rate == wanted or not len(samples):
        return samples
    scale = min(1.0, wanted / rate)
    half = math.ceil(_CROSSINGS / scale)
    count = math.ceil(len(samples) * wanted / rate)
    padded = numpy.concatenate([numpy.zeros(half), samples, numpy.zeros(half + 1)])
    made = numpy.empty(count)
    steps = numpy.arange(-half, half + 1)
    for begin in range(0, count, 4096):
        # In integers, so that positions do not drift.
        ticks = numpy.arange(begin, min(count, begin + 4096), dtype=numpy.int64) * rate
        base, part = ticks // wanted, (ticks % wanted) / wanted
        offsets = steps[None, :] - part[:, None]
        window = 0.5 + 0.5 * numpy.cos(numpy.pi * numpy.clip(offsets / (half + 1), -1, 1))
        weights = numpy.sinc(offsets * scale) * window
        weights /= weights.sum(axis=1, keepdims=True)
        taken = padded[base[:, None] + half + steps[None, :]]
        made[begin : begin + len(ticks)] = (taken * weights).sum(axis=1)
    return made


def read_wave(path: Path, name: str) -> Wave:
    """Read a RIFF WAVE file, or an RF64 file (EBU Tech 3306); raises PipelineError (TENSOR).

    Microsoft's format: 8 bits are unsigned, 16, 24 and 32 signed, 32 and 64 may be floats. Several
    chunks of samples are joined. A stream whose header was never completed is read to its end.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _refused(path, name, "The sound is too large.", f"at most {_MOST_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise _refused(path, name, "The sound cannot be read.", found=str(error)) from None
    if data[:4] not in _FORMS or data[8:12] != b"WAVE":
        raise _refused(path, name, "The file is not a WAV file.", "RIFF … WAVE", repr(data[:12]))
    head = b""
    found: set[bytes] = set()
    parts: list[bytes] = []
    for kind, size, content in _chunks(data):
        found.add(kind)
        if kind == b"fmt ":
            head = content
        elif kind == b"data":
            if len(content) < size:
                raise _refused(
                    path,
                    name,
                    "The WAV file is truncated.",
                    f"{size} bytes of samples, as its header says",
                    f"{len(content)} bytes",
                )
            parts.append(content)
    if not {b"fmt ", b"data"} <= found or len(head) < 16:
        raise _refused(path, name, "The WAV file is truncated.", "the chunks 'fmt ' and 'data'")
    form, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", head)
    if form == _EXTENSIBLE and len(head) >= 26:
        form = struct.unpack_from("<H", head, 24)[0]
    known = bits in ((8, 16, 24, 32) if form == _PCM else (32, 64) if form == _FLOAT else ())
    if not known or not channels or not rate or frame != channels * bits // 8:
        shown = f"format {form}, {bits} bits, {channels} channels, {rate} Hz"
        expected = "integers of 8, 16, 24 or 32 bits, or floats of 32 or 64 bits"
        raise _refused(path, name, "Unsupported WAV sample format.", expected, shown)
    body = b"".join(parts)
    body = body[: len(body) - len(body) % frame]
    if not body:
        raise _refused(path, name, "The WAV file has no samples.")
    return Wave(_numbers(body, form, bits, path, name).reshape(-1, channels), rate)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield each chunk's name, the size that its header states, and its bytes."""
    at, large = 12, 0
    complete = struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"data" and size == _IN_DS64 and large:
            size = large
        elif name == b"data" and (size >= _UNKNOWN or (size == 0 and not complete)):
            size = len(data) - at
        content = data[at : at + size]
        # The 64-bit size of the samples, after that of the whole.
        if name == b"ds64" and len(content) >= 16:
            large = struct.unpack_from("<Q", content, 8)[0]
        yield name, size, content
        at += size
        # Chunks of odd size are followed by a zero, which some writers forget.
        at += size % 2 and data[at : at + 1] == b"\0"


def _numbers(body: bytes, kind: int, bits: int, path: Path, name: str) -> Any:
    import numpy

    if kind == _FLOAT:
        found = numpy.frombuffer(body, f"<f{bits // 8}").astype(numpy.float64)
        if not numpy.isfinite(found).all():
            raise _refused(path, name, "The sound has NaN or infinite samples.", "finite samples")
        return found
    if bits == 8:
        return (numpy.frombuffer(body, numpy.uint8) - 128.0) / 128
    if bits == 24:
        parts = numpy.frombuffer(body, numpy.uint8).reshape(-1, 3)
        wide = numpy.zeros((len(parts), 4), numpy.uint8)
        wide[:, 1:] = parts
        return wide.view("<i4")[:, 0] / 2.0**31
    return numpy.frombuffer(body, f"<i{bits // 8}") / 2.0 ** (bits - 1)


def _refused(
    path: Path, name: str, message: str, expected: str = "", found: str = ""
) -> PipelineError:
    where = f"{name}, {path.name}"
    return PipelineError(Code.TENSOR, message, where=where, expected=expected, found=found)
