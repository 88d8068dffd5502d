"""The sources of the configs: whether each is reachable or already downloaded."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import CheckResult, failed, passed

if TYPE_CHECKING:
    from pipeline.config.load_project import Configs
    from pipeline.config.schema import Source
    from pipeline.source.addresses import Url

_AT_ONCE = 8
_ANSWER_SECONDS = 20.0
_ALL_SECONDS = 45.0
_MOST_NAMES = 2


@dataclass(frozen=True)
class _SourceCheck:
    """A source, its names in the configs, and whether a plain run needs it."""

    source: Source
    names: tuple[str, ...]
    needed: bool


def sources(configs: Configs) -> list[CheckResult]:
    """Return a line for each source, one for a source that several fixtures share.

    All are probed in parallel, with a common deadline of 45 seconds. A source is fine if one of
    its URLs responds. In an offline project only local files are probed.
    """
    from pipeline.execution.progress import no_progress
    from pipeline.http.retry import RetryPolicy
    from pipeline.source.addresses import parse_url
    from pipeline.source.download_cache import DownloadCache
    from pipeline.source.expected_file import ExpectedFile
    from pipeline.source.probe import is_downloaded, probe

    policy = RetryPolicy(connect=5.0, read=_ANSWER_SECONDS, total=_ANSWER_SECONDS, attempts=1)
    folder = configs.root / configs.project.cache / "downloads"
    downloads = DownloadCache(folder, configs.project.offline, no_progress, policy)
    source_checks = _source_checks(configs)
    urls = {
        text: parse_url(text) for source_check in source_checks for text in source_check.source.urls
    }
    probed = {_place(url): url for url in urls.values() if not _is_skipped(url, configs)}
    questions = {
        place: partial(probe, url, configs.root, downloads) for place, url in probed.items()
    }
    faults = answers(questions, _ALL_SECONDS)

    def kept(source_check: _SourceCheck) -> bool:
        source = source_check.source
        digests = {"sha256": source.sha256, "sha384": source.sha384, "sha1": source.sha1}
        expected = ExpectedFile(source.size, {kind: hex_ for kind, hex_ in digests.items() if hex_})
        return any(is_downloaded(urls[text], expected, downloads) for text in source.urls)

    return [
        _line(
            source_check,
            [faults.get(_place(urls[text]), "offline") for text in source_check.source.urls],
            kept,
        )
        for source_check in source_checks
    ]


def answers(questions: Mapping[str, Callable[[], str]], seconds: float) -> dict[str, str]:
    """Run the probes in parallel and return their results; after ``seconds`` the rest time out.

    A probe that hangs is abandoned.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for name in questions:
        waiting.put(name)

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results.put((name, questions[name]()))
            except Exception as error:
                results.put((name, f"{type(error).__name__}: {error}"))

    for _ in range(min(_AT_ONCE, len(questions))):
        Thread(target=work, daemon=True).start()
    found: dict[str, str] = {}
    deadline = time.monotonic() + seconds
    while len(found) < len(questions):
        try:
            name, answer = results.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = answer
    late = f"no answer in {seconds:g} s"
    return {name: found.get(name, late) for name in questions}


def _line(
    source_check: _SourceCheck, faults: Sequence[str], kept: Callable[[_SourceCheck], bool]
) -> CheckResult:
    from pipeline.http.urls import redacted_url

    urls = [redacted_url(text) for text in source_check.source.urls]
    more = (
        f" and {len(source_check.names) - _MOST_NAMES} more"
        if len(source_check.names) > _MOST_NAMES
        else ""
    )
    subject = ", ".join(source_check.names[:_MOST_NAMES]) + more
    first = next((number for number, fault in enumerate(faults) if not fault), None)
    if first is not None:
        which = f"; URL {first + 1} of {len(urls)}" if len(urls) > 1 else ""
        here = "found" if urls[first].startswith("file:") else "reachable"
        lost = "".join(f"; not {urls[number]}: {faults[number]}" for number in range(first))
        return passed("source", subject, f"{here}: {urls[first]}{which}{lost}")
    problem = "; ".join(f"{url}: {fault}" for url, fault in zip(urls, faults, strict=True))
    if kept(source_check):
        return passed("source", subject, f"downloaded before; {problem}")
    optional = "" if source_check.needed else "; only needed by fixtures that are built on request"
    fix = "Check the network, fix the URL, or add a mirror to `urls`"
    if "offline" in faults:
        fix = "Set offline = false in configs/project.toml, or run once with network access"
    elif urls[0].startswith("file:"):
        fix = "Put the file there, or fix the path in the config"
    return failed("source", subject, f"{problem}{optional}", fix, needed=source_check.needed)


def _source_checks(configs: Configs) -> list[_SourceCheck]:
    named: dict[tuple[object, ...], tuple[Source, list[str], bool]] = {}
    for name, source, needed in _declared(configs):
        identity = (source.urls, source.sha256, source.sha384, source.sha1)
        _, names, before = named.setdefault(identity, (source, [], False))
        names.append(name)
        named[identity] = (source, names, before or needed)
    return [_SourceCheck(source, tuple(names), needed) for source, names, needed in named.values()]


def _declared(configs: Configs) -> Iterable[tuple[str, Source, bool]]:
    for fixture, table in configs.fixtures.items():
        if fixture not in configs.variant_of:
            for name, source in table.source.items():
                yield f"{fixture}.{name}", source, table.default
    default = {each.guest.program for each in configs.fixtures.values() if each.default}
    # Built-in guests that no fixture runs are not built.
    for guest in sorted({each.guest.program for each in configs.fixtures.values()}):
        for name, source in configs.guests[guest].compiler.items():
            yield f"{guest}.{name}", source, guest in default


def _place(url: Url) -> str:
    """Return the key under which a URL is probed: one for all files of a release."""
    from pipeline.source.addresses import NpmUrl, PypiUrl

    kind = url.text.partition(":")[0]
    return f"{kind}:{url.release}" if isinstance(url, (PypiUrl, NpmUrl)) else url.text


def _is_skipped(url: Url, configs: Configs) -> bool:
    from pipeline.source.addresses import FileUrl

    return configs.project.offline and not isinstance(url, FileUrl)
