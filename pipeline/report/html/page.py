"""Render the report's data as one HTML file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.errors import printable
from pipeline.execution.step_name import StepName
from pipeline.report.html import formatting
from pipeline.report.html.drawings import Plot, Thumbnail
from pipeline.report.html.facts import CaseFacts, Report, State

if TYPE_CHECKING:
    from jinja2 import Environment

# Above this total, the page uses the smaller images.
_MOST_PICTURE_BYTES = 3_000_000
_PLOT_HEIGHT = 60
# Above this number of steps, the bars of the timeline are too narrow for names.
_MOST_NAMED = 400
_GLYPHS: Mapping[State, str] = {
    State.FAILED: "✗",
    State.BLOCKED: "–",
    State.UNFINISHED: "…",
    State.STALE: "↻",
    State.VERIFIED: "✓",
    State.ABSENT: "○",
}


def render(report: Report) -> str:
    """Return the page: it loads nothing external, and all data is escaped."""
    environment = _environment()
    style, script = _text("report.css"), _text("report.js")
    album = Album(report)
    pictures = album.style()
    return environment.get_template("report.html").render(
        report=report,
        album=album,
        style=style,
        script=script,
        pictures=pictures,
        policy=_policy((style, pictures), script),
        verified=sum(1 for each in report.fixtures if each.state is State.VERIFIED),
        cases=[(fixture, case) for fixture in report.fixtures for case in fixture.cases],
        passed=sum(1 for fixture in report.fixtures for case in fixture.cases if _passed(case)),
        outcomes=_outcomes(report),
        named=report.run is not None and len(report.run.steps) <= _MOST_NAMED,
        known={
            each.name: f"{each.model.framework} {each.model.precision}"
            for each in (*report.fixtures, *report.absent)
        },
        untouched=_by_kind(report.run.untouched if report.run else ()),
        guests={guest.name: guest for guest in report.guests},
        glyphs=_GLYPHS,
    )


class Album:
    """The images of a page, each stored once, however often it is shown."""

    def __init__(self, report: Report) -> None:
        every = {self.name(each): each for each in _pictures(report)}
        large = sum(len(each.large) for each in every.values())
        self._small = large > _MOST_PICTURE_BYTES
        self.pictures = every

    @staticmethod
    def name(picture: Thumbnail) -> str:
        """Return the id of an image, by its bytes."""
        return "p" + hashlib.sha256(picture.large).hexdigest()[:10]

    def style(self) -> str:
        """Return CSS rules that set each image as the background of its class.

        Browsers decode background images only in view, unlike those of elements.
        """
        return "\n".join(
            f".{name}{{aspect-ratio:{each.width}/{each.height};"
            f"background-image:url(data:image/webp;base64,{self._data(each)})}}"
            for name, each in self.pictures.items()
        )

    def _data(self, picture: Thumbnail) -> str:
        return base64.b64encode(picture.small if self._small else picture.large).decode()


def curve(plot: Plot) -> str:
    """Return a plot as an SVG path, one unit wide per column and 60 high.

    >>> curve(Plot(columns=((0.0, 1.0), (0.5, 0.5)), low=0, high=1))
    'M0.5 60V0M1.5 30.5V29.5'
    """
    parts = []
    for column, (low, high) in enumerate(plot.columns):
        bottom, top = (1 - low) * _PLOT_HEIGHT, (1 - high) * _PLOT_HEIGHT
        if bottom - top < 1:
            middle = (bottom + top) / 2
            bottom, top = middle + 0.5, middle - 0.5
        parts.append(f"M{column}.5 {_figure(bottom)}V{_figure(top)}")
    return "".join(parts)


def _figure(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _passed(case: CaseFacts) -> bool:
    checks = case.checks
    return checks is not None and (checks.native_equal or checks.printed) and checks.agrees


def _outcomes(report: Report) -> list[tuple[str, int]]:
    if report.run is None:
        return []
    count: dict[str, int] = {}
    for step in report.run.steps:
        count[step.outcome] = count.get(step.outcome, 0) + 1
    order = ("failed", "cut off", "built", "restored", "up to date", "skipped")
    count["up to date"] = count.get("up to date", 0) + len(report.run.untouched)
    return [(outcome, count[outcome]) for outcome in order if count.get(outcome)]


def _searched(step: str, known: Mapping[str, str]) -> str:
    """Return what the filter searches for a step: its name, and its fixture's framework.

    >>> _searched("ir:net", {"net": "onnx f32"})
    'ir:net onnx f32'
    """
    return f"{step} {known.get(StepName.parse(step).subject, '')}".strip().lower()


def _by_kind(steps: tuple[str, ...]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for kind, label in sorted(map(StepName.parse, steps)):
        kinds.setdefault(kind, []).append(label)
    return kinds


def _pictures(report: Report) -> Iterator[Thumbnail]:
    for fixture in report.fixtures:
        for case in fixture.cases:
            for given in case.inputs:
                yield from filter(None, (given.source, given.picture))
            for output in case.outputs:
                yield from filter(None, (output.picture,))


def _policy(styles: Iterable[str], script: str) -> str:
    """Return a Content-Security-Policy that allows only the page's own style and script."""
    allowed = " ".join(_digest(style) for style in styles)
    return (
        f"default-src 'none'; img-src data:; style-src {allowed}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _template(name: str) -> str:
    # Indented for readability; with 500 fixtures the indentation would add a megabyte.
    return re.sub(r"(?m)^[ \t]+", "", _text(name))


def _text(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        amount=formatting.amount,
        curve=curve,
        find=_searched,
        gauge=formatting.gauge_position,
        iso=formatting.iso,
        moment=formatting.moment,
        seconds=formatting.seconds,
        size=formatting.size,
        small=formatting.small,
        ticks=formatting.ticks,
    )
    environment.tests["link"] = _is_link
    return environment


def _shown(value: Any) -> Any:
    # Bidirectional overrides and invisible letters may mislead here as on a terminal.
    return printable(value) if type(value) is str else value


def _is_link(address: str) -> bool:
    return address.startswith(("https://", "http://"))
