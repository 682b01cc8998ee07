"""The report in a real browser: no console errors, every figure there, at the width of a desk and of a phone.

Needs a report (`make demo` writes one) and the extra `browser` with a Chromium of the system; see .ci/run.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")

PAGE = Path(os.environ.get("RETHINK_PAGE", "results/demo/index.html"))
WIDTHS = {"desk": 1280, "phone": 390}


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS)
def page(request, browser):
    """The report, opened without a network, with everything that its console says."""
    if not PAGE.is_file():
        pytest.skip(f"there is no {PAGE}: make demo writes it")
    context = browser.new_context(viewport={"width": WIDTHS[request.param], "height": 800}, offline=True)
    page = context.new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: page.said.append(f"error: {error}"))
    page.on("requestfailed", lambda wanted: page.said.append(f"fetched: {wanted.url}"))
    page.goto(PAGE.resolve().as_uri())
    yield page
    context.close()


def test_nothing_is_amiss_and_every_figure_is_there(page):
    assert page.said == []
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")  # what is mostly not run
    figures = page.locator("figure")
    assert figures.count() > 0
    for figure in figures.all():
        shown = [drawing for drawing in figure.locator(".drawing").all() if drawing.is_visible()]
        assert len(shown) == 1, "one drawing of each figure for this width"
        box = shown[0].locator("svg").bounding_box()
        assert box["width"] > 250
        assert box["height"] > 100
    headings = page.locator("h2").all_inner_texts()
    assert any(heading.startswith("Figure 1a") for heading in headings)


def test_nothing_is_wider_than_the_page(page):
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_curve_tells_its_values_under_the_pointer(page):
    drawing = next(d for d in page.locator(".drawing").all() if d.is_visible())
    # To its top, since on a phone a drawing is taller than the screen; and until the page is done with scrolling.
    drawing.evaluate(
        "drawing => new Promise(done => { drawing.scrollIntoView({block: 'start', behavior: 'instant'});"
        " requestAnimationFrame(() => requestAnimationFrame(done)); })"
    )
    curve = page.evaluate(
        "drawing => JSON.parse(drawing.querySelector('script').textContent)", drawing.element_handle()
    )
    left, top, *_ = next(c for c in curve if c["points"])["points"][0]
    box = drawing.locator("svg").bounding_box()
    page.mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert re.search(r"\d", tip.inner_text())
    assert page.said == []


def test_light_and_dark_are_both_readable(browser):
    if not PAGE.is_file():
        pytest.skip(f"there is no {PAGE}: make demo writes it")
    grounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(PAGE.resolve().as_uri())
        style = "getComputedStyle(document.body)"
        ink, ground = page.evaluate(f"[{style}.color, {style}.backgroundColor]")
        grounds.append(ground)
        assert _contrast(ink, ground) > 7
        context.close()
    assert grounds[0] != grounds[1]


def _contrast(first: str, second: str) -> float:
    """Of WCAG 2, of two colours as the browser writes them: rgb(1, 2, 3)."""

    def luminance(colour: str) -> float:
        shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
