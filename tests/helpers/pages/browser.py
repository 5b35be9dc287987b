"""Pages in a real browser: Debian's Chromium without a window, driven by Selenium.

A test takes the fixture `page` (tests/conftest.py): it is skipped where there is no Chromium, and fails if the page
wrote an error to its console. Nothing outside of this machine can be reached, so a page that asks for it fails, too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root, as in containers, has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # containers give /dev/shm 64 MB
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",  # where nothing listens; loopback itself goes past every proxy
)
NAMES = {"browser": ("chromium", "chromium-browser", "google-chrome"), "driver": ("chromedriver",)}
REMEDY = "install them (Debian: apt-get install chromium chromium-driver), or run make browser as root"


def missing() -> str:
    """Why no page can be opened here; "" if one can."""
    lacking = [names[0] for names in NAMES.values() if not any(map(shutil.which, names))]
    return f"no {' and no '.join(lacking)} on the PATH: {REMEDY}" if lacking else ""


class Page:
    """One tab of the browser. driver: Selenium's, for all that is not here."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str | Path) -> None:
        """Load a file or a URL, and wait until it is loaded."""
        self.driver.get(Path(address).absolute().as_uri() if isinstance(address, Path) else address)

    def resize(self, width: int, height: int = 900, scale: float = 1.0) -> None:
        """Make the viewport so many CSS pixels large, also narrower than a window can be; scale: device pixels each."""
        screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def prefer(self, scheme: Literal["light", "dark"]) -> None:
        """Set what the media query `prefers-color-scheme` finds."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def run(self, code: str, *arguments: Any) -> Any:
        """What a function body in JavaScript returns, given these `arguments`."""
        return self.driver.execute_script(code, *arguments)

    def all(self, selector: str) -> list[Any]:
        """The elements that a CSS selector finds, in their order."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """The only element that a CSS selector finds."""
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements match {selector}"
        return found[0]

    def text(self, selector: str = "body") -> str:
        """The text of an element as it is shown."""
        return str(self.one(selector).text)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as KeyboardEvent.key names them: "Enter", "Escape", "a"."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        names = {key.replace("_", ""): value for key, value in vars(Keys).items() if key.isupper()}
        for key in keys:
            code = names.get(key.upper(), key)
            ActionChains(self.driver, duration=0).send_keys(code).perform()

    def wait(self, code: str, *arguments: Any, seconds: float = 20.0) -> Any:
        """Until a function body returns something true, which is returned."""
        from selenium.webdriver.support.wait import WebDriverWait

        waiting = WebDriverWait(self.driver, seconds, poll_frequency=0.02)
        return waiting.until(lambda driver: driver.execute_script(code, *arguments), f"never true: {code}")

    def overflow(self) -> int:
        """By how many pixels the page is wider than the viewport: above 0, it scrolls sideways."""
        return int(
            self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def requests(self) -> list[str]:
        """Addresses of all that was fetched since this was last asked, but for files and what pages hold themselves."""
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return [url for url in urls if not url.startswith(("file:", "data:", "blob:", "about:"))]

    def errors(self) -> list[str]:
        """Errors on the console since this was last asked, uncaught exceptions and failed requests included."""
        return [
            str(entry["message"]) for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"
        ]

    def screenshot(self, path: Path) -> Path:
        """Write the viewport as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(path))
        return path


class Browser:
    """A running Chromium. One is enough for a whole session: every test gets a page of its own."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    @contextmanager
    def page(self, width: int = 1280, height: int = 900) -> Iterator[Page]:
        """A fresh tab, in light colours; closed at the end."""
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        page = Page(self.driver)
        page.resize(width, height)
        page.prefer("light")
        page.errors()
        page.requests()
        try:
            yield page
        finally:
            self.driver.close()
            self.driver.switch_to.window(first)


@contextmanager
def running_browser(profile: Path, flags: Sequence[str] = FLAGS) -> Iterator[Browser]:
    """Chromium with a fresh profile in the folder `profile`. Raises RuntimeError where it is not installed."""
    if missing():
        raise RuntimeError(missing())
    from selenium import webdriver

    browser, driver = (next(filter(None, map(shutil.which, names))) for names in NAMES.values())
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    # Both paths given, Selenium's own manager has nothing to look for, let alone to download.
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()


def skip_without_browser() -> None:
    """Skip a test where no page can be opened."""
    pytest.importorskip("selenium", reason="selenium is not installed: pip install -e '.[test]'")
    if missing():
        pytest.skip(missing())
