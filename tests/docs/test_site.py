"""The documentation as a site: strict about links, whole by itself, its reference of the code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from playwright.sync_api import Browser

from pipeline.config.model_tables import Golden, Model
from pipeline.config.schema import Expect, Source, Variant
from pipeline.errors import Code
from tests.browser import chromium
from tests.tiny import ROOT

PAGES = sorted(path for path in (ROOT / "docs").glob("*.md"))
TABLES = {"source": Source, "model": Model, "golden": Golden, "expect": Expect, "variant": Variant}


def build(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(docs), str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a checkout; some lead to files beside docs/."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copytree(ROOT / "configs", root / "configs")
    return root / "docs"


@pytest.fixture(scope="session")
def site(docs: Path) -> Path:
    out = docs.parent / "site"
    done = build(docs, out)
    assert done.returncode == 0, done.stderr
    return out


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"""<(?:script|img|link)\b[^>]*?\b(?:src|href)="(https?:|//)[^"]*""")
    pages = [path.read_text() for path in site.rglob("*.html")]
    assert len(pages) > 40
    assert [found[0] for page in pages for found in loaded.finditer(page)] == []


@pytest.mark.parametrize(
    "link", ["[x](nowhere.md)", "[x](tensors.md#nowhere)", "![x](figures/nowhere.svg)"]
)
def test_a_link_that_leads_nowhere_is_an_error(docs: Path, tmp_path: Path, link: str) -> None:
    copy = tmp_path / "docs"
    shutil.copytree(docs, copy)
    shutil.copytree(docs.parent / "configs", tmp_path / "configs")
    page = copy / "tensors.md"
    page.write_text(page.read_text() + f"\n{link}\n")
    done = build(copy, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("query", ["tolerance", "lock", "component", "remote cache"])
def test_the_search_ranks_decisions_after_all_other_pages(
    site: Path, browser: Browser, query: str
) -> None:
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q={quote(query)}")
    page.wait_for_function("document.querySelector('.search-summary')?.innerText.includes('found')")
    shown = page.locator("#search-results li > a")
    decisions = [str(each.get_attribute("href")).startswith("adr/") for each in shown.all()]
    page.close()
    assert {True, False} == set(decisions)
    assert decisions == sorted(decisions)


def test_every_page_can_be_reached(site: Path) -> None:
    linked = {
        found
        for path in (*site.glob("*.html"), *site.glob("adr/*.html"))
        for found in re.findall(r'href="(?:\.\./)?([^"#]+\.html)', path.read_text())
    }
    written = {path.name for path in site.rglob("*.html")}
    assert written <= {Path(link).name for link in linked} | {"index.html"}


def test_the_reference_tells_of_every_error_command_and_key(site: Path) -> None:
    reference = {path.stem: path.read_text() for path in (site / "reference").glob("*.html")}
    for code in Code:
        assert f">{code.value}<" in reference["errors"]
    for command in ("wasi-nn run", "wasi-nn fetch", "doit publish", "doit validate"):
        assert f">{command}<" in reference["commands"]
    for key in ("canonical_digest", "manifest_version"):
        assert f">{key}<" in reference["manifest"]
    for key in ("precision", "resize", "cache_limit", "imports"):
        assert f">{key}<" in reference["configs"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_configs_of_a_page_are_ones(page: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.M | re.S):
        for name, table in tomllib.loads(block).items():
            if name in ("model", "golden"):
                msgspec.convert(table, TABLES[name])
            elif name in TABLES:
                for entry in table.values():
                    msgspec.convert(entry, TABLES[name])
