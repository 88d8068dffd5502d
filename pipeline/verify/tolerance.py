"""How far an IR may be from its source model: by the noise floor that was measured there.

An element agrees when it is within ``FACTOR`` times the noise floor, and ``ULPS`` units in the
last place of its output's scale, of the source framework's. What a precision loses, or a config
allows with a reason, widens that and never narrows it. The figures behind the two numbers are in
docs/adr/0028-measured-tolerance.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.config.model_tables import Golden

FACTOR = 8.0
ULPS = 8
_ULP = 2.0**-23
# No output's scale is more than this many times the median of its values.
_SPREAD = 1000.0


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """What widens the measured bound: ``absolute + share × scale + relative × |b|``.

    ``share`` is of the output's scale. ``cosine`` is that of the whole output, asked of those that
    are not within the measured bound. All are 0 where f32 weights leave nothing but noise.
    ``reason`` says why the config allows more.
    """

    absolute: float = 0.0
    share: float = 0.0
    relative: float = 0.0
    cosine: float = 0.0
    reason: str = ""


# What weights of 11 and 8 significant bits lose; seen on the fixtures: f16 0.05, int8 0.13.
_OF_PRECISION: Mapping[str, Tolerance] = {
    "f32": Tolerance(),
    "f16": Tolerance(share=1e-2, relative=2e-2, cosine=0.999),
    "int8": Tolerance(share=0.2, relative=0.2, cosine=0.98),
}

INT8 = _OF_PRECISION["int8"]


def tolerance(golden: Golden, precision: str) -> Tolerance:
    """Return what the precision of the weights allows, and what the config allows beyond.

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


def scale_of(values: Any) -> Any:
    """Return the scale that each element of an output is computed at, from its float64 values.

    The largest value, but of an output with a few that are beyond all others (masks of -1e9) a
    thousand medians. The kernels of functions that end at 1, such as sigmoid and softmax, are right
    within units of 1, so a smaller output has the scale 1, as long as that is no more than a
    thousand times its own.
    """
    import numpy

    sizes = numpy.abs(values)
    largest = float(sizes.max(initial=0.0))
    nonzero = sizes[sizes > 0]
    usual = min(largest, _SPREAD * float(numpy.median(nonzero))) if nonzero.size else 0.0
    return numpy.maximum(sizes, max(usual, min(1.0, _SPREAD * largest)))


def last_places(values: Any, count: float = ULPS) -> Any:
    """Return ``count`` units in the last place of float32 at the scale of each element."""
    return count * _ULP * scale_of(values)
