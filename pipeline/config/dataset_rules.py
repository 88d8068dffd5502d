"""Validation of datasets: the location of their images, their labels, and their tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pipeline.config.dataset_tables import Dataset, picture_tensor
from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.schema import Fixture
from pipeline.config.tensor_rules import check_tensor
from pipeline.config.wording import Path, dotted, quoted

_PLACES = ("folder", "glob", "archive", "bucket")
_BUCKET = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")


def check_datasets(fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    """Yield errors in the datasets of a fixture."""
    for name, dataset in fixture.dataset.items():
        path = ("dataset", name)
        if name in fixture.tensor and knows("tensor"):
            message = f"{quoted(name)} is both a case and a dataset."
            yield Mistake(path, message, hint="Rename the dataset.")
        if not knows(*path):
            continue
        yield from _place(path, dataset, knows)
        yield from _labels(path, dataset, knows)
        if len(fixture.model.inputs) > 1 and knows.whole("model", "inputs"):
            message = f"[{dotted(path)}] needs a model with one input."
            yield Mistake(path, message, "a model with one input", str(len(fixture.model.inputs)))
        elif knows.whole("model", "inputs") and knows.whole(*path, "tensor"):
            yield from _tensor(path, dataset, fixture)


def _place(path: Path, dataset: Dataset, knows: KnownNames) -> Iterator[Mistake]:
    given = [key for key in _PLACES if getattr(dataset, key) is not None]
    if len(given) != 1 and all(knows(*path, key) for key in _PLACES):
        message = f"[{dotted(path)}] needs exactly one location of images."
        found = " and ".join(given) or "none"
        yield Mistake(path, message, f"one of {', '.join(_PLACES)}", found)
    for key in ("folder", "glob"):
        place = getattr(dataset, key)
        if place is not None and (not place.isprintable() or ".." in re.split(r"[/\\]", place)):
            message = f"The {key} of the images is not a plain path."
            yield Mistake((*path, key), message, "a path without '..'", quoted(place))
    if dataset.bucket is not None:
        if not _BUCKET.fullmatch(dataset.bucket):
            message = "Invalid bucket URL."
            expected = "a URL such as s3://BUCKET/FOLDER"
            yield Mistake((*path, "bucket"), message, expected, quoted(dataset.bucket))
        elif "@" in urlsplit(dataset.bucket).netloc:
            message = "The URL contains a password."
            hint = "Configure credentials as the bucket's client library expects."
            yield Mistake((*path, "bucket"), message, hint=hint)


def _labels(path: Path, dataset: Dataset, knows: KnownNames) -> Iterator[Mistake]:
    if not all(knows(*path, key) for key in ("label_folders", "labels", "classes", "accuracy")):
        return
    labelled = dataset.label_folders or dataset.labels is not None
    if dataset.label_folders and dataset.labels is not None:
        message = f"[{dotted(path)}] has labels both from folders and from a file."
        yield Mistake((*path, "labels"), message, "one of label_folders and labels")
    for key in ("classes", "accuracy"):
        if getattr(dataset, key) is not None and not labelled:
            message = f"[{dotted(path)}] has {key}, but its images have no labels."
            yield Mistake((*path, key), message, "label_folders = true, or labels")


def _tensor(path: Path, dataset: Dataset, fixture: Fixture) -> Iterator[Mistake]:
    table = (*path, "tensor")
    for key in ("image", "shape", "signal"):
        if getattr(dataset.tensor, key) is not None:
            message = f"[{dotted(table)}] applies to every image and has no {key}."
            yield Mistake((*table, key), message)
    [given] = fixture.model.inputs.values()
    for found in check_tensor(picture_tensor(dataset), given.shape, dotted(table)):
        where = (*table, *found.path) if found.path != ("image",) else table
        yield Mistake(where, found.message, found.expected, found.found, found.hint)
