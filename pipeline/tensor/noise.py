"""Random numbers from a seed, identical on every machine."""

from __future__ import annotations

from typing import Any

from pipeline.config.tensor_tables import Noise


def draw(noise: Noise, count: int, *, whole: bool) -> Any:
    """Return ``count`` uniform random numbers in float64, from ``low`` to below ``high``.

    With ``whole``, integers including ``high``. Uses RandomState (Mersenne Twister), whose stream
    NumPy guarantees to keep.

    >>> draw(Noise(seed=1, low=0, high=9), 5, whole=True).tolist()
    [4.0, 7.0, 0.0, 3.0, 1.0]
    """
    import numpy

    shares = numpy.random.RandomState(noise.seed).random_sample(count)
    if whole:
        return numpy.floor(noise.low + shares * (noise.high - noise.low + 1))
    return noise.low + shares * (noise.high - noise.low)
