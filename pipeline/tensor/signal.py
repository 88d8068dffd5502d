"""Synthesised sounds, the same to the last bit on every machine."""

from __future__ import annotations

from typing import Any

from pipeline.config.tensor_tables import Signal

# The steps of 16-bit PCM. They are coarser than the last digit of any machine's sine by eleven
# orders of magnitude, so that digit cannot show.
_STEPS = 32768


def synthesise(signal: Signal, count: int) -> Any:
    """Return ``count`` samples in float64, from time 0.

    For each frequency f the sum over h = 1 … harmonics of sin(2π h f t) / h; all summed, scaled
    so that the largest magnitude is ``peak``, and rounded to multiples of 1/32768, as a 16-bit
    WAV file would hold them.
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
