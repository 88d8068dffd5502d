"""Validation of sources: their URLs and digests, and that every named source exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.config.address_rules import address_fault
from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.schema import Fixture, Source
from pipeline.config.tensor_tables import sources_of
from pipeline.config.wording import Path, closest, did_you_mean, dotted, listing, quoted, shown

_DIGESTS = ("sha256", "sha384", "sha1")


def check_sources(
    sources: Mapping[str, Source], knows: KnownNames, table: str = "source"
) -> Iterator[Mistake]:
    """Yield errors in the URLs, digests and sizes of a table's sources.

    Only project files in ``source`` may omit the digest.
    """
    excused = "Only a source with a single file: URL may omit it."
    for name, source in sources.items():
        path = (table, name)
        for index, url in enumerate(source.urls):
            if fault := address_fault(url):
                where = (*path, "urls", str(index))
                message = "Unsupported URL."
                yield Mistake(where, message, fault, shown(url))
        if not all(knows(*path, key) for key in ("urls", "size", *_DIGESTS)):
            continue
        alone = len(source.urls) == 1 and source.urls[0].startswith("file:")
        local = alone and table == "source"
        if not local and not any(getattr(source, key) for key in _DIGESTS):
            yield Mistake(
                path,
                f"Source '{dotted((name,))}' has no digest.",
                "sha256, or the publisher's sha384 or sha1 and a size",
                hint=excused if table == "source" else "",
            )
        elif not local and source.sha256 is None and source.size is None:
            message = f"Source '{dotted((name,))}' has neither sha256 nor size."
            yield Mistake(path, message, "size = number of bytes")


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
    for named, dataset in fixture.dataset.items():
        for key in ("archive", "labels", "classes"):
            if (name := getattr(dataset, key)) is not None:
                yield ("dataset", named, key), name
