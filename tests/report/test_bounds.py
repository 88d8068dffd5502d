"""The page shows each distance beside the bound that was applied to it, and why it is so."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from PIL import Image

from pipeline.report.html import facts
from pipeline.report.html.formatting import gauge_position
from pipeline.report.html.page import render
from pipeline.report.html.thumbnails import webp
from tests.report.pages import checks, distance, failed_report


def page(*distances: facts.Distance, **other: Any) -> str:
    """Return the first fixture's part of a page, without its line breaks."""
    report = failed_report(webp(Image.new("RGB", (8, 8))))
    fixture = next(each for each in report.fixtures if each.cases[0].checks)
    shown = replace(checks(), distances=distances, **other)
    case = replace(fixture.cases[0], checks=shown)
    return " ".join(render(replace(report, fixtures=(replace(fixture, cases=(case,)),))).split())


def test_the_mark_of_the_gauge_is_the_bound_of_that_output() -> None:
    shown = page(distance(), distance(output="box", distance=0.3, bound=0.4, margin=0.75))
    marks = [float(each) for each in re.findall(r'<rect x="([\d.]+)%"', shown)]
    assert marks == [gauge_position(2.0e-5), gauge_position(0.4)]
    circles = [float(each) for each in re.findall(r'<circle cx="([\d.]+)%"', shown)]
    assert circles == [gauge_position(3.8e-6), gauge_position(0.3)]
    assert "margin 0.19; noise floor 2.4e-6 × 8 + 8 last places" in shown


def test_the_overview_has_the_output_that_is_nearest_to_its_bound() -> None:
    shown = page(distance(), distance(output="box", distance=0.3, bound=0.4, margin=0.75))
    assert '0.3 <span class="soft">of 0.4</span>' in shown


def test_what_is_beyond_its_bound_is_marked() -> None:
    assert "class=over" not in page(distance())
    assert "class=over" in page(distance(agrees=False, distance=1.0, margin=5e4))


def test_the_reason_of_the_config_is_shown() -> None:
    assert "allows more" not in page(distance())
    assert "The config allows more: it divides by 0" in page(distance(), reason="it divides by 0")


def test_whole_numbers_are_equal_or_tie() -> None:
    whole = {"bound": 0.0, "floor": 0.0, "distance": 0.0, "margin": 0.0}
    shown = page(distance(**whole))
    assert "whole numbers, <b>equal</b>" in shown
    assert "tie within" not in shown
    shown = page(distance(**whole, ties=2))
    assert "2 differ where two scores tie within the noise floor" in shown


def test_what_int8_kernels_lose_is_said() -> None:
    assert "the int8 kernels of this processor lose 12" in page(distance(kernels=12.0))
