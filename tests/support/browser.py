# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium without a window, driven by Selenium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

# It looks for nothing in the network but what a test asks for.
_WORDS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1200,1600",
)


@contextmanager
def chromium(binary: Path, driver: Path, folder: Path) -> Iterator[Chrome]:
    """A browser that knows nothing yet; what its console says is kept."""
    options = ChromeOptions()
    options.binary_location = str(binary)
    for word in (*_WORDS, f"--user-data-dir={folder}", *(("--no-sandbox",) if os.geteuid() == 0 else ())):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(str(driver)))
    try:
        browser.set_page_load_timeout(30)
        yield browser
    finally:
        browser.quit()


def console(browser: Chrome) -> list[str]:
    """What the console has said since it was last asked."""
    found: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [str(entry["message"]) for entry in found]
