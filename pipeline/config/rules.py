"""Validation of a config across its keys: rules that a schema cannot express."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from urllib.parse import urlsplit

from pipeline.cache.confined_path import path_fault
from pipeline.config.address_rules import address_fault
from pipeline.config.case_rules import (
    check_cases,
    check_expectations,
    check_guest_run,
)
from pipeline.config.dataset_rules import check_datasets
from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.model_rules import check_golden, check_model, check_quantisation
from pipeline.config.schema import Fixture, Guest, Project, RemoteCacheSettings
from pipeline.config.source_rules import (
    check_references,
    check_source,
    check_sources,
    local_path,
)
from pipeline.config.wording import Path, dotted, quoted

# Windows treats these as devices, whatever their suffix.
DEVICE_NAMES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.I)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SEPARATOR = re.compile(r"[/\\]")


def fixture_findings(
    fixture: Fixture, guests: Collection[str], broken: Collection[Path] = frozenset()
) -> list[Mistake]:
    """Return the errors across the keys of a fixture.

    ``guests`` are the names of all guests. ``broken`` are the paths with placeholder values:
    errors at them or because of them are not reported.
    """
    knows = KnownNames(broken)
    findings = [
        *_names(("source",), fixture.source),
        *_names(("tensor",), fixture.tensor),
        *_names(("dataset",), fixture.dataset),
        *check_sources(fixture.source, knows),
        *check_model(fixture.model, knows),
        *check_cases(fixture, knows),
        *check_guest_run(fixture.guest, guests, knows),
        *check_golden(fixture, knows),
        *check_quantisation(fixture, knows),
        *check_expectations(fixture, knows),
        *check_datasets(fixture, knows),
        *check_references(fixture, knows),
    ]
    return [finding for finding in findings if knows(*finding.path)]


def guest_findings(
    guest: Guest, is_file: Callable[[str], bool], broken: Collection[Path] = frozenset()
) -> list[Mistake]:
    """Return the errors in a guest; ``is_file`` checks a path inside the project."""
    knows = KnownNames(broken)
    paths = {
        (key, str(index)): path
        for key, files in (
            ("sources", guest.sources),
            ("headers", guest.headers),
            ("component", guest.component),
        )
        for index, path in enumerate(files)
        if not {(), (key,), (key, str(index))} & set(broken)
    }
    findings = [
        *(found for where, path in paths.items() for found in _file(where, path, is_file)),
        *_component(guest),
        *_names(("compiler",), guest.compiler),
        *check_sources(guest.compiler, knows, "compiler"),
        *_built(guest, is_file, knows),
    ]
    return [finding for finding in findings if knows(*finding.path)]


def _built(guest: Guest, is_file: Callable[[str], bool], knows: KnownNames) -> Iterator[Mistake]:
    """Yield whether a guest lacks what it is made of, or has what its language does not take."""
    if not knows("language"):
        return
    built = guest.language == "wasm"
    if built and guest.file is None and knows("file"):
        yield Mistake(("language",), "The guest has no file.", "[file] with urls and license")
    if built and (guest.sources or guest.headers):
        key = "sources" if guest.sources else "headers"
        hint = "A guest in wasm is not compiled: name it in [file]."
        yield Mistake((key,), f"A guest in wasm has no {key}.", hint=hint)
    if not built and guest.file is not None:
        yield Mistake(("file",), "Only a guest in wasm has a file.", 'language = "wasm"')
    if not built and not guest.sources and knows("sources"):
        yield Mistake(("language",), "The guest has no sources.", "sources = [...]")
    if guest.file is not None:
        yield from check_source(("file",), "The guest", guest.file, knows, local=True)
        path = local_path(guest.file)
        if path is not None and not address_fault(f"file:{path}") and knows("file", "urls"):
            yield from _file(("file", "urls", "0"), path, is_file)


def project_findings(project: Project, broken: Collection[Path] = frozenset()) -> list[Mistake]:
    """Return the errors in the project's settings."""
    folders = {("cache",): project.cache, ("toolchains",): project.toolchains}
    findings = [
        Mistake(
            where,
            "The folder is not a plain path.",
            expected="a path without '..'",
            found=quoted(path),
        )
        for where, path in folders.items()
        if where not in broken and (not path.isprintable() or ".." in _SEPARATOR.split(path))
    ]
    return findings + _remote_findings(project.remote, broken)


def _remote_findings(remote: RemoteCacheSettings | None, broken: Collection[Path]) -> list[Mistake]:
    if remote is None or ("remote", "url") in broken:
        return []
    parts = urlsplit(remote.url)
    findings = []
    if not parts.scheme or not (parts.netloc or parts.path):
        findings.append(
            Mistake(
                ("remote", "url"),
                "Invalid cache URL.",
                expected="https://…, http://…, s3://… or gs://…",
                found=quoted(remote.url),
            )
        )
    if parts.username or parts.password:
        findings.append(
            Mistake(
                ("remote", "url"),
                "The URL contains a password.",
                hint="Put a token in an environment variable and name it in token_env.",
            )
        )
    if remote.token_env and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        findings.append(
            Mistake(
                ("remote", "token_env"),
                "The token would be sent unencrypted.",
                expected="an https: URL",
                found=quoted(remote.url),
            )
        )
    return findings


def name_fault(name: str) -> str:
    """Return the expected form of a name, or '' if it is valid.

    >>> name_fault("squeezenet")
    ''
    """
    if DEVICE_NAMES.fullmatch(name):
        return "a name that is no device on Windows, such as con or nul"
    if _NAME.fullmatch(name):
        return ""
    return "up to 64 of a-z, 0-9, - and _, starting with a letter or digit"


def _component(guest: Guest) -> Iterator[Mistake]:
    if guest.component and guest.language not in ("c", "c++"):
        message = "Only a guest in C or C++ can have further sources for a component."
        hint = "`wasi-nn componentize` makes a component of any guest."
        yield Mistake(("component",), message, "language c or c++", quoted(guest.language), hint)


def _names(table: Path, names: Iterable[str]) -> Iterator[Mistake]:
    for name in names:
        if fault := name_fault(name):
            path = (*table, name)
            message = f"The name of [{dotted(path)}] is not valid in a file name."
            yield Mistake(path, message, fault, dotted((name,)))


def _file(where: Path, path: str, is_file: Callable[[str], bool]) -> Iterator[Mistake]:
    if fault := path_fault(path):
        message = "The guest's file is outside the project."
        yield Mistake(where, message, fault, quoted(path))
    elif not is_file(path):
        message = f"No file {quoted(path)} in the project."
        yield Mistake(where, message, hint="Paths are relative to the project's folder.")
