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
    prompted for. ``guests`` are the names of the project's guests, ``inputs`` texts ``NAME=FILE``,
    ``fetched`` the files of addresses, and ``source_files`` those of an IR's source model, of the
    framework ``source_framework``. No ``precisions`` are those that the model has.
    """

    root: Path
    name: str
    framework: Framework
    files: Mapping[str, Path]
    images: Sequence[Path]
    inputs: Sequence[str]
    rate: int | None
    vocabulary: Path | None
    fetched: Mapping[str, Path]
    source_framework: Framework | None
    source_files: Mapping[str, Path]
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

    def path_of(self, text: str) -> Path:
        """Return the path that an argument names, or the file of its address."""
        return self.fetched.get(text, Path(text))
