"""Draw the pictures of the documentation: `python docs/pictures.py`, in a project that was built.

Opens artifacts/report.html in the machine's Chromium (extra `[test]`) and writes docs/report.png,
as it looks on a light screen with one fixture filtered for. The photos in it are CC0.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1160, 1010
COLOURS = 200


def main() -> None:
    """Write docs/report.png."""
    page = ROOT / "artifacts" / "report.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.get_by_role("searchbox").fill("squeezenet caffe")
        tab.evaluate("document.activeElement.blur()")
        shot = tab.screenshot()
        browser.close()
    target = ROOT / "docs" / "report.png"
    with Image.open(io.BytesIO(shot)) as picture:
        picture.convert("RGB").quantize(COLOURS).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
