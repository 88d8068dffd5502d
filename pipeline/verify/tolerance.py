"""How far an IR may be from its source model: by the noise floor that was measured there.

An element agrees when it is within ``FACTOR`` times the noise floor, and a few units in the last
place of its output's scale, of the source framework's. What a precision loses, or a config
allows with a reason, widens that and never narrows it. The figures behind the two numbers are in
docs/adr/0030-measured-tolerance.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.config.model_tables import Golden

FACTOR = 8.0
ULPS = 8
# Kernels add as many terms side by side, or in several sums; the rest is rounded in order.
_TERMS = 64
_ULP = 2.0**-23
# No output's scale is more than this many times the median of its values.
_SPREAD = 1000.0


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """What widens the measured bound: ``absolute + share × scale + relative × |b|``.

    All are 0 where f32 weights leave nothing but noise.
    """

    absolute: float = 0.0
    """What every element may be off."""
    share: float = 0.0
    """What every element may be off as a share of the output's scale."""
    relative: float = 0.0
    """What every element may be off as a share of itself."""
    cosine: float = 0.0
    """The least cosine of an output that is not within the measured bound."""
    reason: str = ""
    """Why the config allows more than noise and precision explain."""


# What weights of 11, 8 and 4 significant bits lose; seen on the fixtures: f16 0.05, int8 0.13,
# int4 0.31.
_OF_PRECISION: Mapping[str, Tolerance] = {
    "f32": Tolerance(),
    "f16": Tolerance(share=1e-2, relative=2e-2, cosine=0.999),
    "int8": Tolerance(share=0.2, relative=0.2, cosine=0.98),
    "int4": Tolerance(share=0.3, relative=0.3, cosine=0.95),
}

INT8 = _OF_PRECISION["int8"]


def tolerance(golden: Golden, precision: str) -> Tolerance:
    """Return what the precision of the weights allows, plus what the config allows.

    >>> allowed = tolerance(Golden(executor="onnxruntime", relative=0.5, reason="a sum"), "f16")
    >>> allowed.share, allowed.relative, allowed.reason
    (0.01, 0.5, 'a sum')
    """
    usual = _OF_PRECISION[precision]
    return Tolerance(
        absolute=golden.absolute or 0.0,
        share=usual.share,
        relative=max(usual.relative, golden.relative or 0.0),
        cosine=usual.cosine if golden.cosine is None else min(usual.cosine, golden.cosine),
        reason=golden.reason or "",
    )


def ulps_of(terms: int) -> int:
    """Return how many units in the last place an output may be off in addition to its noise.

    ``terms`` are those of the network's longest average.

    >>> ulps_of(49), ulps_of(224 * 224)
    (8, 784)
    """
    return max(ULPS, terms // _TERMS)


def scale_of(values: Any) -> Any:
    """Return the scale of each element of an output, from its float64 values.

    That is the largest value. Beyond a thousand and a thousand medians (masks of -1e9) a value is
    the scale of itself alone.
    """
    import numpy

    sizes = numpy.abs(values)
    nonzero = sizes[sizes > 0]
    usual = _SPREAD * max(1.0, float(numpy.median(nonzero))) if nonzero.size else 0.0
    return numpy.maximum(sizes, min(float(sizes.max(initial=0.0)), usual))


def last_places(values: Any, count: float = ULPS) -> Any:
    """Return ``count`` units in the last place of float32 at the scale of each element.

    The kernels of functions that end at 1, such as sigmoid and softmax, are right within units of
    1: a smaller output has the last place of 1, or of a thousand times its scale.
    """
    import numpy

    scale = scale_of(values)
    return count * _ULP * numpy.maximum(scale, numpy.minimum(1.0, _SPREAD * scale))
