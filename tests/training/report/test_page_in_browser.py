"""The report in a real browser: all drawn, readable on a desk and a phone, in both languages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NoReturn

import pytest

from training.pipeline import TrainingResult
from training.report.page import name_head
from training.report.words import PLOTS
from training.report.writing import REPORT_FILE

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

_MEASURE_PLOTS = """() => [...document.querySelectorAll('svg')].map(svg => {
  const box = svg.getBoundingClientRect();
  const clipped = [...svg.querySelectorAll('text')].filter(text => {
    const one = text.getBoundingClientRect();
    return one.width > 0 && (one.left < box.left - 2 || one.right > box.right + 2 ||
                             one.top < box.top - 2 || one.bottom > box.bottom + 2);
  }).map(text => text.textContent);
  const drawn = [...svg.querySelectorAll('path:not(.grid),rect,circle')].filter(one => {
    const size = one.getBoundingClientRect();
    return size.width > 0 || size.height > 0;
  }).length;
  return {name: svg.parentElement.className, width: box.width, height: box.height, clipped, drawn};
})"""


@pytest.fixture(scope="module")
def browser(skip_optional: Callable[[str, str], NoReturn]) -> Iterator[Any]:
    """A browser without a window; skips where there is none."""
    path = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if find_spec("playwright") is None or path is None:
        skip_optional("a browser", "install the Debian package chromium and the extra `dev`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_whole_in_a_browser(
    browser: Any, trained: TrainingResult, width: int, language: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    faults: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((trained.folder.resolve() / REPORT_FILE).as_uri())
    page.locator(f'input[id="{language}"]').check()
    plots = page.evaluate(_MEASURE_PLOTS)
    shown = page.inner_text("main")
    reach = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert faults == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert reach <= width
    assert {plot["name"] for plot in plots} == set(PLOTS)
    for plot in plots:
        assert plot["width"] > 280
        assert plot["height"] > 60
        assert plot["drawn"] > 0, plot["name"]
        assert plot["clipped"] == [], plot["name"]
    for head in trained.manifest.heads:
        assert name_head(head.name).to("en" if language == "en" else "zh-CN") in shown
    if language == "en":
        assert _CHINESE.findall(shown.replace("中文", "")) == []
    else:
        assert len(_CHINESE.findall(shown)) > 500
        assert "Should stay far above" not in shown


def test_a_phone_in_the_dark_and_paper_show_the_plots(
    browser: Any, trained: TrainingResult
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.goto((trained.folder.resolve() / REPORT_FILE).as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="light")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_shown = page.locator(".switch").is_visible()
    n_plots = page.locator("svg:visible").count()
    page.close()
    assert max(int(one) for one in re.findall(r"\d+", dark)[:3]) < 60
    assert paper == "rgb(255, 255, 255)"
    assert not is_shown
    assert n_plots >= len(trained.manifest.heads) * 8
