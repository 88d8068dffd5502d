"""Validation of sources: their URLs and digests, and that every named source exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.config.address_rules import address_fault
from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.schema import Fixture, Guest, Source
from pipeline.config.tensor_tables import sources_of
from pipeline.config.wording import Path, closest, did_you_mean, dotted, listing, quoted, shown

_DIGESTS = ("sha256", "sha384", "sha1")


def check_sources(
    sources: Mapping[str, Source], knows: KnownNames, table: str = "source"
) -> Iterator[Mistake]:
    """Yield errors in the URLs, digests and sizes of a table's sources.

    Only project files in ``source`` may omit the digest.
    """
    for name, source in sources.items():
        named = f"Source '{dotted((name,))}'"
        yield from check_source((table, name), named, source, knows, local=table == "source")


def check_source(
    path: Path, named: str, source: Source, knows: KnownNames, *, local: bool
) -> Iterator[Mistake]:
    """Yield errors in one source; if it may be ``local``, a file: URL alone needs no digest."""
    for index, url in enumerate(source.urls):
        if fault := address_fault(url):
            yield Mistake((*path, "urls", str(index)), "Unsupported URL.", fault, shown(url))
    if not all(knows(*path, key) for key in ("urls", "size", *_DIGESTS)):
        return
    if local and local_path(source) is not None:
        return
    if not any(getattr(source, key) for key in _DIGESTS):
        yield Mistake(
            path,
            f"{named} has no digest.",
            "sha256, or the publisher's sha384 or sha1 and a size",
            hint="Only a source with a single file: URL may omit it." if local else "",
        )
    elif source.sha256 is None and source.size is None:
        message = f"{named} has neither sha256 nor size."
        yield Mistake(path, message, "size = number of bytes")


def local_path(source: Source) -> str | None:
    """Return the path of a source with a single file: URL, else None."""
    [first, *others] = source.urls
    return first.removeprefix("file:") if first.startswith("file:") and not others else None


def guest_files(guest: Guest) -> tuple[str, ...]:
    """Return the paths in the project of the files that a guest is made of."""
    path = local_path(guest.file) if guest.file is not None else None
    return (*guest.sources, *guest.headers, *([path] if path else []))


def check_references(fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    """Yield every key that names an undeclared source."""
    if not knows("source"):
        return
    for path, name in named_sources(fixture):
        if name not in fixture.source:
            suggestion = closest(name, fixture.source)
            yield Mistake(
                path,
                f"No source named {quoted(name)}" + did_you_mean(suggestion),
                f"one of {listing(fixture.source)}",
                quoted(name),
            )


def named_sources(fixture: Fixture) -> Iterator[tuple[Path, str]]:
    """Yield every key that names a source, and the name."""
    for file, name in fixture.model.files.items():
        yield ("model", "files", file), name
    for file, name in fixture.golden.files.items():
        yield ("golden", "files", file), name
    for table, cases in (("tensor", fixture.tensor), ("calibration", fixture.calibration)):
        for case, inputs in cases.items():
            for given, tensor in inputs.items():
                for path, name in sources_of(tensor).items():
                    yield (table, case, given, *path), name
    for case, expect in fixture.expect.items():
        if expect.labels is not None:
            yield ("expect", case, "labels"), expect.labels
        for key in ("mask", "vector"):
            if (expected := getattr(expect, key)) is not None:
                yield ("expect", case, key, "source"), expected.source
    for named, dataset in fixture.dataset.items():
        for key in ("archive", "labels", "classes"):
            if (name := getattr(dataset, key)) is not None:
                yield ("dataset", named, key), name
        if dataset.tensor.mean_image is not None:
            yield ("dataset", named, "tensor", "mean_image"), dataset.tensor.mean_image
