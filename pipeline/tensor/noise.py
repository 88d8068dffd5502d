"""Numbers from a seed, the same on every machine."""

from __future__ import annotations

from typing import Any

from pipeline.config.tensor_tables import Noise


def draw(noise: Noise, count: int, *, whole: bool) -> Any:
    """Return ``count`` numbers in float64, evenly from ``low`` to below ``high``.

    Whole numbers include ``high``. They are those of the Mersenne Twister, whose stream NumPy keeps
    for good under its old name, RandomState.

    >>> draw(Noise(seed=1, low=0, high=9), 5, whole=True).tolist()
    [4.0, 7.0, 0.0, 3.0, 1.0]
    """
    import numpy

    shares = numpy.random.RandomState(noise.seed).random_sample(count)
    if whole:
        return numpy.floor(noise.low + shares * (noise.high - noise.low + 1))
    return noise.low + shares * (noise.high - noise.low)
