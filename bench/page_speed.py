# SPDX-License-Identifier: Apache-2.0
"""page_speed.py PAGE: how Chromium fares with a page of `penchant report`, on a desk's window and on a phone's.

Prints JSON: milliseconds until the page is drawn, and for each thing that a reader does (scroll, hover, zoom, the other
layout of the map, the other theme, another width) the milliseconds until the next frame after it, or the longest wait
between two frames while it goes on. Needs the Python package playwright and a Chromium on PATH; without one of them
{"missing": what}.
"""
import json
import pathlib
import shutil
import sys

WATCH_FRAMES = """() => {
  window.longest = 0;
  let last = performance.now();
  const frame = now => { window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(now => { last = now; requestAnimationFrame(frame); });
}"""
AFTER = """act => new Promise(done => {
  const start = performance.now();
  (0, eval)(act);
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""


def longest_frame(page, act):
    page.evaluate("() => { window.longest = 0; }")
    act()
    page.wait_for_timeout(200)
    return page.evaluate("() => window.longest")


def look(browser, address, width, height):
    page = browser.new_page(viewport={"width": width, "height": height})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address, wait_until="load")
    page.wait_for_function("document.documentElement.dataset.charts > 0")
    result = {"drawn_ms": page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")}
    page.wait_for_timeout(500)
    page.evaluate(WATCH_FRAMES)
    page.wait_for_timeout(300)
    result["scroll_longest_frame_ms"] = longest_frame(page, lambda: [
        (page.mouse.wheel(0, 300), page.wait_for_timeout(50)) for _ in range(30)])
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map .nsewdrag").first.bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])
    result["hover_longest_frame_ms"] = longest_frame(page, lambda: [
        (page.mouse.move(*at(k / 40, 0.3 + k / 100)), page.wait_for_timeout(20)) for k in range(1, 40)])
    result["other_layout_ms"] = page.evaluate(AFTER, "[...document.querySelectorAll('.choice button')].at(-1).click()")

    def zoom():
        page.mouse.move(*at(0.3, 0.3))
        page.mouse.down()
        page.mouse.move(*at(0.6, 0.6), steps=10)
        page.mouse.up()
    result["zoom_longest_frame_ms"] = longest_frame(page, zoom)
    result["other_theme_ms"] = page.evaluate(AFTER, "document.getElementById('theme').click()")
    result["resize_longest_frame_ms"] = longest_frame(page, lambda: page.set_viewport_size({"width": width - 20, "height": height}))
    result["errors"] = errors
    page.close()
    return result


def measure(path):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        return {"missing": "no Chromium on PATH"}
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        return {"missing": str(error)}
    address = pathlib.Path(path).resolve().as_uri()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        result = {"chromium": browser.version} | {
            name: look(browser, address, *size) for name, size in {"desk": (1280, 900), "phone": (390, 844)}.items()}
        browser.close()
    return result


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1]), indent=2))
