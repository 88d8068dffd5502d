"""The inputs of a draft: the model, the photos, and the options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.new.inputs import Overrides
from pipeline.cli.new.local_files import Way
from pipeline.config.model_tables import Framework, Precision


@dataclass(frozen=True, kw_only=True)
class DraftOptions:
    """The options of the command line.

    ``files`` are the model's, by the framework's labels. A licence or description of None is
    prompted for. ``guests`` are the names of the project's guests.
    """

    root: Path
    name: str
    framework: Framework
    files: Mapping[str, Path]
    images: Sequence[Path]
    labels: Path | None
    overrides: Overrides
    precisions: Sequence[Precision]
    architecture: str | None
    signature: str | None
    description: str | None
    license: str | None
    image_license: str | None
    way: Way | None
    guest: str
    guests: Sequence[str]
