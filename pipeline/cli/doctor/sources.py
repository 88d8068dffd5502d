"""The sources of the configs: whether each is reachable or already downloaded."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import Line, fine, lacking

if TYPE_CHECKING:
    from pipeline.config.load_project import Configs
    from pipeline.config.schema import Source
    from pipeline.source.addresses import Url

_AT_ONCE = 8
_ANSWER_SECONDS = 20.0
_ALL_SECONDS = 45.0
_MOST_NAMES = 2


@dataclass(frozen=True)
class _Wish:
    """A source, its names in the configs, and whether a plain run needs it."""

    source: Source
    names: tuple[str, ...]
    needed: bool


def sources(configs: Configs) -> list[Line]:
    """Return a line for each source, one for a source that several fixtures share.

    All are probed in parallel, with a common deadline of 45 seconds. A source is fine if one of
    its URLs responds. In an offline project only local files are probed.
    """
    from pipeline.execution.progress import silent
    from pipeline.http.client import Patience
    from pipeline.source.addresses import parse_url
    from pipeline.source.download_cache import Downloads
    from pipeline.source.expected_file import Wanted
    from pipeline.source.probe import downloaded, unreached

    patience = Patience(connect=5.0, silence=_ANSWER_SECONDS, whole=_ANSWER_SECONDS, attempts=1)
    folder = configs.root / configs.project.cache / "downloads"
    downloads = Downloads(folder, configs.project.offline, silent, patience)
    wishes = _wishes(configs)
    urls = {text: parse_url(text) for wish in wishes for text in wish.source.urls}
    asked = {_place(url): url for url in urls.values() if not _unasked(url, configs)}
    questions = {
        place: partial(unreached, url, configs.root, downloads) for place, url in asked.items()
    }
    faults = answers(questions, _ALL_SECONDS)

    def kept(wish: _Wish) -> bool:
        source = wish.source
        stated = {"sha256": source.sha256, "sha384": source.sha384, "sha1": source.sha1}
        wanted = Wanted(source.size, {kind: hex_ for kind, hex_ in stated.items() if hex_})
        return any(downloaded(urls[text], wanted, downloads) for text in source.urls)

    return [
        _line(wish, [faults.get(_place(urls[text]), "offline") for text in wish.source.urls], kept)
        for wish in wishes
    ]


def answers(questions: Mapping[str, Callable[[], str]], seconds: float) -> dict[str, str]:
    """Run the probes in parallel and return their results; after ``seconds`` the rest time out.

    A probe that hangs is abandoned.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    told: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for name in questions:
        waiting.put(name)

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                told.put((name, questions[name]()))
            except Exception as error:
                told.put((name, f"{type(error).__name__}: {error}"))

    for _ in range(min(_AT_ONCE, len(questions))):
        Thread(target=work, daemon=True).start()
    found: dict[str, str] = {}
    deadline = time.monotonic() + seconds
    while len(found) < len(questions):
        try:
            name, answer = told.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = answer
    late = f"no answer in {seconds:g} s"
    return {name: found.get(name, late) for name in questions}


def _line(wish: _Wish, faults: Sequence[str], kept: Callable[[_Wish], bool]) -> Line:
    from pipeline.http.urls import shown

    urls = [shown(text) for text in wish.source.urls]
    more = f" and {len(wish.names) - _MOST_NAMES} more" if len(wish.names) > _MOST_NAMES else ""
    subject = ", ".join(wish.names[:_MOST_NAMES]) + more
    first = next((number for number, fault in enumerate(faults) if not fault), None)
    if first is not None:
        which = f"; URL {first + 1} of {len(urls)}" if len(urls) > 1 else ""
        here = "found" if urls[first].startswith("file:") else "reachable"
        lost = "".join(f"; not {urls[number]}: {faults[number]}" for number in range(first))
        return fine("source", subject, f"{here}: {urls[first]}{which}{lost}")
    told = "; ".join(f"{url}: {fault}" for url, fault in zip(urls, faults, strict=True))
    if kept(wish):
        return fine("source", subject, f"downloaded before; {told}")
    optional = "" if wish.needed else "; only needed by fixtures that are built on request"
    fix = "Check the network, fix the URL, or add a mirror to `urls`"
    if "offline" in faults:
        fix = "Set offline = false in configs/project.toml, or run once with network access"
    elif urls[0].startswith("file:"):
        fix = "Put the file there, or fix the path in the config"
    return lacking("source", subject, f"{told}{optional}", fix, needed=wish.needed)


def _wishes(configs: Configs) -> list[_Wish]:
    named: dict[tuple[object, ...], tuple[Source, list[str], bool]] = {}
    for name, source, needed in _declared(configs):
        identity = (source.urls, source.sha256, source.sha384, source.sha1)
        _, names, before = named.setdefault(identity, (source, [], False))
        names.append(name)
        named[identity] = (source, names, before or needed)
    return [_Wish(source, tuple(names), needed) for source, names, needed in named.values()]


def _declared(configs: Configs) -> Iterable[tuple[str, Source, bool]]:
    for fixture, table in configs.fixtures.items():
        if fixture not in configs.variant_of:
            for name, source in table.source.items():
                yield f"{fixture}.{name}", source, table.default
    programs = {each.guest.program for each in configs.fixtures.values() if each.default}
    for guest, program in configs.guests.items():
        for name, source in program.compiler.items():
            yield f"{guest}.{name}", source, guest in programs


def _place(url: Url) -> str:
    """Return the key under which a URL is probed: one for all files of a release."""
    from pipeline.source.addresses import NpmUrl, PypiUrl

    kind = url.text.partition(":")[0]
    return f"{kind}:{url.release}" if isinstance(url, (PypiUrl, NpmUrl)) else url.text


def _unasked(url: Url, configs: Configs) -> bool:
    from pipeline.source.addresses import FileUrl

    return configs.project.offline and not isinstance(url, FileUrl)
