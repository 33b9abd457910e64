"""A headless Chromium that reaches no network and keeps nothing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVER = "chromedriver"
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


def missing() -> str:
    """What a browser test lacks here; "" where it can run."""
    lacking = []
    if _browser() is None:
        lacking.append("chromium")
    if shutil.which(_DRIVER) is None:
        lacking.append("chromedriver")
    try:
        import selenium  # noqa: F401
    except ImportError:
        lacking.append("the Python package selenium")
    return f"no {' and no '.join(lacking)} (Debian: apt-get install chromium chromium-driver)" if lacking else ""


@contextmanager
def browser(profile: Path) -> Iterator["Chrome"]:
    """Start a browser and end it.

    Args:
        profile: An empty folder for what it writes.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(_browser())
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # The driver by its path: otherwise selenium would look for one to download.
    driver = webdriver.Chrome(options=options, service=Service(shutil.which(_DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def look(driver: "Chrome", page: Path, width: int = 1400, *, dark: bool = False, medium: str = "screen") -> None:
    """Open a page.

    Args:
        driver: What `browser` gives.
        page: A file.
        width: Of the window, in pixels.
        dark: What the reader prefers.
        medium: "screen" or "print".
    """
    metrics: dict[str, Any] = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": [scheme]})
    driver.get(page.as_uri())


def _browser() -> str | None:
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)
