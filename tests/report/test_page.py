"""The report in a real browser: what it shows, and what it never does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from pipeline.report.html.page import render
from pipeline.report.html.thumbnails import webp
from tests.browser import chromium
from tests.report.pages import HOSTILE, empty_report, failed_report, large_report

# The direction of text is not reversed by a label: what would do that is written out.
SHOWN = HOSTILE.replace("\u202e", "\\u202e")
FOCUSABLE = "a[href], summary, button, input"

# Of every text that is shown: its contrast with what lies behind it, by WCAG 2.2.
CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const channel = (byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(each).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("script, svg")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pages")
    picture = webp(Image.effect_mandelbrot((120, 90), (-2, -1.5, 1, 1.5), 60).convert("RGB"))
    (place / "failed.html").write_text(render(failed_report(picture)), "utf-8")
    (place / "large.html").write_text(render(large_report(picture)), "utf-8")
    (place / "empty.html").write_text(render(empty_report()), "utf-8")
    return place


class Opened:
    """A page, and all that it asked for or complained of."""

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())


def opened(browser: Browser, path: Path, **context: Any) -> Opened:
    return Opened(browser.new_context(**context), path)


@pytest.fixture
def failed(browser: Browser, folder: Path) -> Iterator[Opened]:
    found = opened(browser, folder / "failed.html")
    yield found
    found.page.context.close()


def test_no_request_leaves_the_page_and_nothing_is_complained_of(failed: Opened) -> None:
    failed.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    failed.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    failed.page.wait_for_timeout(200)
    assert [url for url in failed.asked if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in failed.asked) == 1
    assert failed.said == []


def test_the_policy_stops_what_would_ask_the_network_or_run_a_script(failed: Opened) -> None:
    stopped = failed.page.evaluate(
        """async () => {
          const stopped = [];
          addEventListener("securitypolicyviolation", (e) => stopped.push(e.effectiveDirective));
          await fetch("http://127.0.0.1:9/").catch(() => {});
          const image = new Image();
          image.src = "http://127.0.0.1:9/pixel";
          const script = document.createElement("script");
          script.textContent = "window.pwned = 1";
          document.body.append(image, script);
          await new Promise((done) => setTimeout(done, 200));
          return stopped;
        }"""
    )
    assert set(stopped) == {"connect-src", "img-src", "script-src-elem"}
    assert failed.page.evaluate("window.pwned") is None


def test_what_a_model_or_a_guest_says_is_text_and_never_markup(failed: Opened) -> None:
    page = failed.page
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe, object, embed").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("[onerror]").count() == 0
    assert page.locator(".failure .message").inner_text().endswith(SHOWN)
    assert page.locator("#f-good-0 .about").text_content() == f"a description with {SHOWN}"
    assert page.locator("#f-good-0 .top td").nth(1).text_content() == SHOWN
    assert "javascript:" not in " ".join(
        page.locator("a").evaluate_all("every => every.map(each => each.href)")
    )


def test_failures_come_first_with_all_that_their_error_says(failed: Opened) -> None:
    page = failed.page
    sections = page.locator("main > section").evaluate_all("every => every.map(e => e.id)")
    assert sections == ["failures", "overview", "fixtures", "guests", "run", "absent"]
    assert page.locator("h1").inner_text() == "1 step failed, 4 of 5 cases verified"
    shown = page.locator("#failures").inner_text()
    for text in ("verify:bad.cat", "configs/fixtures/bad.toml:12", "285", "Check colour order."):
        assert text in shown
    assert "manifest:bad not run: needs verify:bad.cat" in shown
    assert page.locator("#overview tbody tr").first.inner_text().startswith("bad")
    assert page.locator(".fixture").first.get_attribute("id") == "f-bad"


def test_headings_go_down_one_level_at_a_time_and_landmarks_are_there(failed: Opened) -> None:
    levels = failed.page.locator("h1, h2, h3, h4, h5, h6").evaluate_all(
        "every => every.map(each => Number(each.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("header", "nav[aria-label]", "main", "footer"):
        assert failed.page.locator(f"body > {landmark}").count() == 1
    assert failed.page.locator("html").get_attribute("lang") == "en"


def test_every_picture_has_words_and_is_painted(failed: Opened) -> None:
    labels = failed.page.locator("[role=img]").evaluate_all(
        "every => every.map(each => each.getAttribute('aria-label'))"
    )
    assert len(labels) == 15
    assert all(labels)
    unlabelled = "svg:not([role=img]):not([aria-hidden]):not(.timeline svg):not(.legend svg)"
    assert failed.page.locator(unlabelled).count() == 0
    painted = failed.page.locator(".pic").evaluate_all(
        "every => every.map(e => getComputedStyle(e).backgroundImage.startsWith('url(\"data:'))"
    )
    assert all(painted)


def test_each_picture_is_stored_once_however_often_it_is_shown(folder: Path) -> None:
    assert (folder / "failed.html").read_text("utf-8").count("data:image/webp") == 1


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_has_to_be_scrolled_sideways(browser: Browser, folder: Path, width: int) -> None:
    found = opened(browser, folder / "failed.html", viewport={"width": width, "height": 800})
    found.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    # Cards out of view are laid out only when they are scrolled to.
    for number in range(found.page.locator("article").count()):
        found.page.locator("article").nth(number).scroll_into_view_if_needed()
    wide = found.page.evaluate("document.documentElement.scrollWidth")
    found.page.context.close()
    assert wide <= width


def test_everything_is_reached_by_the_keyboard_and_seen_to_be(failed: Opened) -> None:
    page = failed.page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.wait_for_timeout(100)
    wanted = page.locator(FOCUSABLE).count()
    page.evaluate(
        f"document.querySelectorAll('{FOCUSABLE}').forEach((each, n) => each.dataset.n = n)"
    )
    reached, outlined = set(), True
    for press in range(wanted):
        page.keyboard.press("Tab")
        number, outline = page.evaluate(
            "() => [document.activeElement.dataset.n,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        if press == 0:
            assert page.evaluate("document.activeElement.className") == "skip"
        reached.add(number)
        outlined = outlined and outline != "none"
    assert len(reached) == wanted > 30
    assert outlined


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_level_aa(
    browser: Browser, folder: Path, scheme: str
) -> None:
    found = opened(browser, folder / "failed.html", color_scheme=scheme)
    found.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    texts = found.page.evaluate(CONTRAST)
    found.page.context.close()
    assert len(texts) > 200
    assert [text for ratio, text in texts if ratio < 4.5] == []


def test_a_dark_screen_has_another_page(browser: Browser, folder: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        found = opened(browser, folder / "failed.html", color_scheme=scheme)
        colours.append(
            found.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        )
        found.page.context.close()
    assert colours == ["rgb(251, 251, 249)", "rgb(18, 20, 23)"]


def test_who_wants_no_motion_gets_none(browser: Browser, folder: Path) -> None:
    behaviours = []
    for motion in ("no-preference", "reduce"):
        found = opened(browser, folder / "failed.html", reduced_motion=motion)
        behaviours.append(
            found.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
        )
        found.page.context.close()
    assert behaviours == ["smooth", "auto"]


def test_all_of_it_is_there_without_scripts_and_no_button_that_does_nothing(
    browser: Browser, folder: Path
) -> None:
    found = opened(browser, folder / "failed.html", java_script_enabled=False)
    page = found.page
    assert page.locator("button, input").count() == 0
    page.locator("#f-good-0 summary").nth(1).click()
    digest = page.locator("#f-good-0 .digest", has_text="dc" * 32)
    assert digest.is_visible()
    page.context.close()


def test_a_digest_is_copied_by_its_button(browser: Browser, folder: Path) -> None:
    found = opened(
        browser, folder / "failed.html", permissions=["clipboard-read", "clipboard-write"]
    )
    page = found.page
    page.locator("#f-good-0 summary").nth(1).click()
    button = page.get_by_role("button", name="Copy the digest of model.xml, good-0.xml")
    button.click()
    assert page.evaluate("navigator.clipboard.readText()") == "dc" * 32
    assert "Copied the digest" in page.locator("[role=status]").inner_text()
    page.context.close()


def test_the_filter_leaves_what_has_all_its_words(failed: Opened) -> None:
    page = failed.page
    page.get_by_role("searchbox").fill("caffe good-2")
    assert page.locator(".fixture:visible").count() == 1
    assert page.locator("#overview tbody tr:visible").count() == 1
    page.get_by_role("searchbox").fill("failed")
    assert page.locator(".fixture:visible").get_attribute("id") == "f-bad"


def test_the_filter_leaves_the_steps_of_the_run_and_its_failures_too(failed: Opened) -> None:
    page = failed.page
    rows = page.locator("#run tbody tr")
    assert rows.count() == 3
    page.get_by_role("searchbox").fill("good")
    assert page.locator("#run tbody tr:visible td:first-child").all_inner_texts() == [
        "ir:good",
        "tensor:good.cat",
    ]
    assert page.locator(".failure:visible").count() == 0
    assert page.locator(".timeline svg[hidden]").count() == 1
    page.get_by_role("searchbox").fill("restored")
    assert page.locator("#run tbody tr:visible").count() == 1
    page.get_by_role("searchbox").fill("caffe verify:bad")
    assert page.locator("#run tbody tr:visible, .failure:visible").count() == 2


def test_a_command_is_copied_by_its_button(browser: Browser, folder: Path) -> None:
    found = opened(
        browser, folder / "failed.html", permissions=["clipboard-read", "clipboard-write"]
    )
    page = found.page
    page.locator("#f-good-1 summary", has_text="commands").click()
    page.locator("#f-good-1").get_by_role("button", name="Copy the command of wasi-nn").click()
    copied = "wasi-nn run --dir artifacts/good-1::fixture x.wasm -- cat"
    assert page.evaluate("navigator.clipboard.readText()") == copied
    page.context.close()


@pytest.mark.parametrize("name", ["failed", "large"])
@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_to_a_section_lands_on_it(
    browser: Browser, folder: Path, name: str, scripts: bool
) -> None:
    if name == "large" and not scripts:
        pytest.skip("without scripts, a browser guesses heights on pages of many fixtures")
    found = opened(browser, folder / f"{name}.html", java_script_enabled=scripts)
    page = found.page
    for section in ("run", "overview", "guests", "absent", "fixtures"):
        page.locator(f'.bar-nav a[href="#{section}"]').click()
        wait_until_still(page)
        top = page.locator(f"#{section}").bounding_box()
        size = page.viewport_size
        assert top is not None
        assert size is not None
        # At the top below the bar, or the page ends before that.
        ended = page.locator("footer").bounding_box()
        assert ended is not None
        at_the_end = ended["y"] + ended["height"] <= size["height"] + 2
        assert abs(top["y"] - 58) < 16 or (at_the_end and 0 < top["y"] < size["height"])
    page.context.close()


def wait_until_still(page: Page) -> None:
    """Wait until the page has not scrolled for a while."""
    last, still = None, 0
    while still < 4:
        box = page.locator("h1").bounding_box()
        still = still + 1 if box == last else 0
        last = box
        page.wait_for_timeout(60)


def test_several_fixtures_are_on_a_printed_page(browser: Browser, folder: Path) -> None:
    # A4 without its margins, at 96 pixels an inch.
    found = opened(browser, folder / "large.html", viewport={"width": 703, "height": 1031})
    found.page.emulate_media(media="print")
    height = found.page.locator("#f-net-0").evaluate("each => each.offsetHeight")
    pages = len(re.findall(rb"/Type\s*/Page\b", found.page.pdf(format="A4")))
    found.page.context.close()
    assert 2 * height < 1031
    # Sixty fixtures with 120 cases, their overview, and the run.
    assert pages < 60


def test_a_project_in_which_nothing_was_built_has_a_page_that_says_so(
    browser: Browser, folder: Path
) -> None:
    found = opened(browser, folder / "empty.html")
    assert found.page.locator("h1").inner_text() == "Nothing is built yet"
    assert "No event log found" in found.page.locator("header").inner_text()
    assert found.said == []
    found.page.context.close()
