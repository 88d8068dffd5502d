"""Expand the variants of a fixture: the same model in other precisions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from msgspec import structs

from pipeline.config.mistake import Mistake
from pipeline.config.model_tables import QUANTISED
from pipeline.config.rules import fixture_findings, name_fault
from pipeline.config.schema import Fixture, Variant
from pipeline.config.wording import Path, quoted

# Keys that a variant's own table can set; errors elsewhere are the fixture's.
_OF_MODEL = ("precision", "loss", "group_size")
_OF_FIXTURE = ("golden", "expect", "calibration")


def variants(name: str, fixture: Fixture) -> Mapping[str, Fixture]:
    """Return the variants of a fixture as fixtures, by their full names.

    The variant ``f16`` of ``squeezenet`` is ``squeezenet-f16``.
    """
    return {f"{name}-{key}": _varied(fixture, key, each) for key, each in fixture.variant.items()}


def variant_findings(
    name: str,
    fixture: Fixture,
    fixtures: Collection[str],
    guests: Collection[str],
    broken: Collection[Path],
) -> Iterator[Mistake]:
    """Yield errors in the variants of a fixture that the fixture itself does not have.

    ``fixtures`` and ``guests`` are the names that have their own files.
    """
    if not fixture.variant or ("variant",) in broken:
        return
    reported = {(each.path, each.message) for each in fixture_findings(fixture, guests, broken)}
    for key, variant in fixture.variant.items():
        path, full = ("variant", key), f"{name}-{key}"
        if fault := name_fault(full):
            yield Mistake(path, "Invalid variant name.", fault, quoted(full))
        if full in fixtures:
            message = "The variant's name is that of another fixture."
            yield Mistake(path, message, found=f"configs/fixtures/{full}.toml")
        if path in broken:
            continue
        for found in fixture_findings(_varied(fixture, key, variant), guests, _broken(key, broken)):
            if (found.path, found.message) not in reported:
                yield replace(found, path=_placed(key, found.path))


def _varied(fixture: Fixture, key: str, variant: Variant) -> Fixture:
    quantised = variant.precision in QUANTISED
    model = structs.replace(
        fixture.model,
        precision=variant.precision,
        loss=variant.loss,
        group_size=variant.group_size,
    )
    return structs.replace(
        fixture,
        description=variant.description or f"{fixture.description} ({key})",
        model=model,
        golden=variant.golden or fixture.golden,
        expect={**fixture.expect, **variant.expect},
        calibration=variant.calibration or (fixture.calibration if quantised else {}),
        dataset={},
        variant={},
        default=variant.default,
    )


def _placed(key: str, path: Path) -> Path:
    """Return a path in the variant's table for a path in the expanded fixture."""
    if path[:1] == ("model",) and path[1:2] and path[1] in _OF_MODEL:
        return ("variant", key, *path[1:])
    return ("variant", key, *(path if path[0] in _OF_FIXTURE else ()))


def _broken(key: str, broken: Collection[Path]) -> Collection[Path]:
    """Return the broken paths of the expanded fixture."""
    own = {path[2:] for path in broken if path[:2] == ("variant", key)}
    return {*broken, *(("model", *path) if path[0] in _OF_MODEL else path for path in own)}
