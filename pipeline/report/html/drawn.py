"""What was drawn of a fixture: pictures, plots and sizes, as they are kept between reports."""

from __future__ import annotations

import msgspec

from pipeline.model.survey import Survey


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A WebP picture in two sizes, and the size of the larger one in pixels."""

    large: bytes
    small: bytes
    width: int
    height: int


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Many values as columns: the least and the greatest of each, from 0 (low) to 1 (high)."""

    columns: tuple[tuple[float, float], ...]
    low: float
    high: float


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a case: the picture that it was made of, and what its tensor holds.

    ``note`` says what there is to know of it, or why there is nothing to see.
    """

    name: str
    source: Picture | None = None
    picture: Picture | None = None
    plot: Plot | None = None
    note: str = ""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One output of a case as a picture or a plot; ``note`` says how to read it."""

    name: str
    picture: Picture | None = None
    plot: Plot | None = None
    note: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn of a case."""

    inputs: tuple[Given, ...] = ()
    outputs: tuple[Output, ...] = ()


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn and measured of a fixture; ``unread`` says why its model was not."""

    cases: dict[str, Case]
    survey: Survey | None = None
    unread: str = ""
