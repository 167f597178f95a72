"""`python -m tools.picture PAGE PICTURE`: the top of a rehearsal's page as a picture, for the README.

Needs Chromium on the PATH and the developer's packages.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 1000  # the answer and the first decisions


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 if the picture was written, 2 if the page or Chromium is missing."""
    page_file, picture = (Path(each) for each in arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not page_file.is_file():
        missing = "Chromium is not on the PATH" if chromium is None else f"{page_file} is not there: make rehearse"
        sys.stderr.write(f"No picture was made: {missing}.\n")
        return 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(page_file.resolve().as_uri())
        page.screenshot(path=picture)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
