"""Renderings of a fixture: images, plots and sizes, as cached between reports."""

from __future__ import annotations

import msgspec

from pipeline.model.inspect.model_statistics import ModelStatistics


class Thumbnail(msgspec.Struct, frozen=True, kw_only=True):
    """A WebP image in two sizes, and the size of the larger one in pixels."""

    large: bytes
    small: bytes
    width: int
    height: int


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Values as columns: the minimum and maximum of each, from 0 (low) to 1 (high)."""

    columns: tuple[tuple[float, float], ...]
    low: float
    high: float


class InputDrawings(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a case: its source image, and the contents of its tensor.

    ``note`` describes it, or says why there is no image.
    """

    name: str
    source: Thumbnail | None = None
    picture: Thumbnail | None = None
    plot: Plot | None = None
    note: str = ""


class OutputDrawings(msgspec.Struct, frozen=True, kw_only=True):
    """One output of a case as an image or a plot; ``note`` says how to read it."""

    name: str
    picture: Thumbnail | None = None
    plot: Plot | None = None
    note: str = ""


class CaseDrawings(msgspec.Struct, frozen=True, kw_only=True):
    """Renderings of a case."""

    inputs: tuple[InputDrawings, ...] = ()
    outputs: tuple[OutputDrawings, ...] = ()


class Drawings(msgspec.Struct, frozen=True, kw_only=True):
    """Renderings and statistics of a fixture; ``unread`` is why its model has no statistics."""

    cases: dict[str, CaseDrawings]
    statistics: ModelStatistics | None = None
    unread: str = ""
