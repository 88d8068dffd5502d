"""How far an IR may be from its source model: by precision, or as the config says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipeline.config.model_tables import Golden


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """Every element satisfies ``|a - b| <= absolute + relative × |b|``, the outputs the cosine."""

    absolute: float
    relative: float
    cosine: float


# Seen on the models of this project: f32 within 2e-5; f16 weights within 4e-3 of values up to 1.
_OF_PRECISION: Mapping[str, Tolerance] = {
    "f32": Tolerance(absolute=1e-4, relative=1e-3, cosine=0.9999),
    "f16": Tolerance(absolute=1e-2, relative=2e-2, cosine=0.999),
    "int8": Tolerance(absolute=0.2, relative=0.2, cosine=0.98),
}


def tolerance(golden: Golden, precision: str) -> Tolerance:
    """Return what the config says, and for the rest what the precision of the weights allows.

    >>> tolerance(Golden(executor="onnxruntime", relative=0.5), "f16")
    Tolerance(absolute=0.01, relative=0.5, cosine=0.999)
    """
    usual = _OF_PRECISION[precision]
    return Tolerance(
        absolute=usual.absolute if golden.absolute is None else golden.absolute,
        relative=usual.relative if golden.relative is None else golden.relative,
        cosine=usual.cosine if golden.cosine is None else golden.cosine,
    )
