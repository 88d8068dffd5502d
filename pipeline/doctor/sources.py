"""The sources of the configs: whether each can be had now, or was had before."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from pipeline.doctor.line import Line, fine, lacking

if TYPE_CHECKING:
    from pipeline.config.load import Configs
    from pipeline.config.schema import Source
    from pipeline.source.urls import Url

_AT_ONCE = 8
_ANSWER_SECONDS = 20.0
_ALL_SECONDS = 45.0
_MOST_NAMES = 2


@dataclass(frozen=True)
class _Wish:
    """A source, the names that it goes by, and whether a plain run needs it."""

    source: Source
    names: tuple[str, ...]
    needed: bool


def sources(configs: Configs) -> list[Line]:
    """Return a line for each source, once where several fixtures share it.

    All are asked at the same time, and given up after 45 seconds together. A source is fine when
    one of its addresses answers. In an offline project nothing is asked.
    """
    from pipeline.source.downloads import Downloads
    from pipeline.source.reach import downloaded, unreached
    from pipeline.source.transport import Patience
    from pipeline.source.urls import parse_url
    from pipeline.source.wanted import Wanted
    from pipeline.work.amount import silent

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
    """Return each question's answer, some at a time; after ``seconds`` those that are missing.

    A question that hangs is left behind.
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
    from pipeline.source.urls import shown

    urls = [shown(text) for text in wish.source.urls]
    more = f" and {len(wish.names) - _MOST_NAMES} more" if len(wish.names) > _MOST_NAMES else ""
    subject = ", ".join(wish.names[:_MOST_NAMES]) + more
    first = next((number for number, fault in enumerate(faults) if not fault), None)
    if first is not None:
        which = f"; address {first + 1} of {len(urls)}" if len(urls) > 1 else ""
        here = "is there" if urls[first].startswith("file:") else "answers"
        lost = "".join(f"; not {urls[number]}: {faults[number]}" for number in range(first))
        return fine("source", subject, f"{here}: {urls[first]}{which}{lost}")
    told = "; ".join(f"{url}: {fault}" for url, fault in zip(urls, faults, strict=True))
    if kept(wish):
        return fine("source", subject, f"downloaded before; {told}")
    optional = "" if wish.needed else "; only what is built when it is named needs it"
    fix = "Correct the address, or add a mirror to its urls; is there a network?"
    if "offline" in faults:
        fix = "Set offline = false in configs/project.toml, or run once with a network"
    elif urls[0].startswith("file:"):
        fix = "Put the file there, or correct the path in the config"
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
    """Return what is asked for an address: members of one release are asked for together."""
    from pipeline.source.urls import NpmUrl, PypiUrl

    kind = url.text.partition(":")[0]
    return f"{kind}:{url.release}" if isinstance(url, (PypiUrl, NpmUrl)) else url.text


def _unasked(url: Url, configs: Configs) -> bool:
    from pipeline.source.urls import FileUrl

    return configs.project.offline and not isinstance(url, FileUrl)
