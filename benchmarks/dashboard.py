"""Opening the dashboard of a thousand resources, compared with the standard size, in the same run.

Both pages are opened in turns in a real browser (Debian's Chromium), offline, so that other load on the
machine affects both alike; the minimum of each until the load event is compared. Aim: 1.5 times.

    python -m benchmarks.dashboard [--rounds 8]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from optimizer.dashboard.render import write_dashboard
from tests.dashboard import made_histories as made

PAGES = {"standard": made.observing, "thousand resources": made.many}
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"


def opened(page: Any, address: str) -> float:
    """Milliseconds until the load event ended."""
    page.goto(address)
    page.wait_for_function(f"() => ({LOADED})() > 0")
    took: float = page.evaluate(LOADED)
    return took


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=8)
    rounds = arguments.parse_args().rounds
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("No chromium on PATH: nothing can be measured.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        written = {name: write_dashboard(history(), Path(folder) / name) for name, history in PAGES.items()}
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu", *sandbox])
        page = browser.new_context(offline=True).new_page()
        times: dict[str, list[float]] = {name: [] for name in written}
        for _ in range(rounds):
            for name, path in written.items():
                times[name].append(opened(page, path.as_uri()))
        browser.close()
        for name, path in written.items():
            print(f"{name:20} {path.stat().st_size / 1e6:5.2f} MB  least {min(times[name]):6.0f} ms")
        least = {name: min(each) for name, each in times.items()}
        print(f"ratio                {least['thousand resources'] / least['standard']:.2f}")


if __name__ == "__main__":
    main()
