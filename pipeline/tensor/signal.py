"""Synthesize harmonic tones, bit-identical on every machine."""

from __future__ import annotations

from typing import Any

from pipeline.config.tensor_tables import Signal

# Quantization of 16-bit PCM, coarser than rounding differences of sine implementations by eleven
# orders of magnitude.
_STEPS = 32768


def synthesise(signal: Signal, count: int) -> Any:
    """Return ``count`` samples in float64, from time 0.

    The sum over all frequencies f and h = 1 … harmonics of sin(2π h f t) / h, scaled to the
    largest magnitude ``peak`` and rounded to multiples of 1/32768, as in a 16-bit WAV file.
    """
    import numpy

    time = numpy.arange(count, dtype=numpy.float64) / signal.rate
    total = numpy.zeros(count)
    for frequency in signal.frequencies:
        for harmonic in range(1, signal.harmonics + 1):
            total += numpy.sin(2 * numpy.pi * harmonic * frequency * time) / harmonic
    largest = numpy.abs(total).max()
    scale = signal.peak / largest if largest else 0.0
    steps = numpy.rint(total * scale * _STEPS)
    return numpy.clip(steps, -_STEPS, _STEPS - 1) / _STEPS
