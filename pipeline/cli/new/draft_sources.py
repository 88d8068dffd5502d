"""The sources of a draft: files that come into the project, and addresses that are pinned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.new.draft_options import DraftOptions
from pipeline.cli.new.fetched_files import pinned
from pipeline.cli.new.licence import licence
from pipeline.cli.new.local_files import LocalFile, Way, to_local_files
from pipeline.cli.new.names import unique
from pipeline.cli.new.prompts import Asker
from pipeline.config.schema import Source
from pipeline.errors import Code, PipelineError


@dataclass(frozen=True, kw_only=True)
class DraftSources:
    """The sources of a config by name, and the files that it needs in the project.

    ``model`` and ``source_model`` map the labels of their files to sources; ``tensors`` maps the
    sources of the cases to files.
    """

    sources: Mapping[str, Source]
    local: Sequence[LocalFile]
    way: Way
    model: Mapping[str, str]
    source_model: Mapping[str, str]
    tensors: Mapping[str, Path]


def taken_names(options: DraftOptions) -> list[str]:
    """Return the names of sources that no case may have."""
    labels = [*options.files, *(f"source-{label}" for label in options.source_files)]
    return [*map(_source_name, labels), "labels", "vocabulary"]


def draft_sources(options: DraftOptions, of_cases: Mapping[str, Path], ask: Asker) -> DraftSources:
    """Return the sources of the model, and of the cases' files by name.

    Raises PipelineError (USAGE), such as for an invalid licence.
    """
    names = _named(options.files, "")
    twin = _named(options.source_files, "source-")
    given = _places(options.files, names) | _places(options.source_files, twin, "source/")
    given |= {name: (path, path.name) for name, path in of_cases.items()}
    for name, path in (("labels", options.labels), ("vocabulary", options.vocabulary)):
        if path is not None:
            given[name] = (path, path.name)
    addresses = {path: text for text, path in options.fetched.items()}
    files = {name: each for name, each in given.items() if each[0] not in addresses}
    _check_distinct_files(files.values())
    local, way = to_local_files(options.root, options.name, files, options.way, ask)
    of_model = licence("the model", "--license", options.license, ask)
    of_inputs = ""
    if of_cases:
        what = "the input file" if len(of_cases) == 1 else "the input files"
        of_inputs = licence(what, "--image-license", options.image_license, ask)
    sources = {}
    for name, (path, _) in given.items():
        licence_ = of_inputs if name in of_cases else of_model
        if path in addresses:
            sources[name] = pinned(addresses[path], path, licence_)
            continue
        each = local[name]
        sources[name] = Source(
            urls=(f"file:{each.path}",),
            sha256=each.digest.sha256,
            size=each.digest.size,
            license=licence_,
        )
    tensors = dict(of_cases)
    if options.vocabulary is not None:
        tensors["vocabulary"] = options.vocabulary
    return DraftSources(
        sources=sources,
        local=list(local.values()),
        way=way,
        model=names,
        source_model=twin,
        tensors=tensors,
    )


def _named(files: Iterable[str], prefix: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for label in files:
        names[label] = unique(prefix + _source_name(label), set(names.values()))
    return names


def _places(
    files: Mapping[str, Path], names: Mapping[str, str], folder: str = ""
) -> dict[str, tuple[Path, str]]:
    """Return each file with its place beside the others; those that refer to each other keep it."""
    return {
        names[label]: (path, folder + (label if "/" in label else path.name))
        for label, path in files.items()
    }


def _source_name(label: str) -> str:
    """Return the name of the source of a model's file.

    >>> _source_name("variables/variables.data-00000-of-00001")
    'variables-data-00000-of-00001'
    """
    return unique(label.removeprefix("variables/").replace(".", "-").removesuffix("-pb"), ())


def _check_distinct_files(given: Iterable[tuple[Path, str]]) -> None:
    taken: dict[str, Path] = {}
    for path, beside in given:
        if taken.setdefault(beside.casefold(), path) != path:
            raise PipelineError(
                Code.USAGE,
                "Two files have the same name.",
                where=f"{taken[beside.casefold()]}, {path}",
                hint="Rename one: both go into one folder.",
            )
