"""How quick the page of `hg.explain` is in headless Chromium: until it can be used, and from pointing to marks.

    python benchmarks/explain_page.py                 time the default page and the question's, 28×28
    python benchmarks/explain_page.py --pictures DIR  and take the pictures that docs/explain.md shows

What an answer takes is measured in the page itself, from the pointer's event through style, layout and paint.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import handgrad as hg

sys.path.append(str(Path(__file__).parents[1] / "docs"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ANSWERS = """async () => {
  const cells = [...document.querySelectorAll("#grad_weight figure.result td:not(.gap), #grad_input figure.result td")];
  const times = [];
  for (let at = 0; at < 60; at += 1) {
    const td = cells[(at * 7919) % cells.length];
    await new Promise(requestAnimationFrame);
    const start = performance.now();
    td.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    document.body.getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return times;
}"""
# name: (page, section, cell to click, keys, width, height, scheme)
PICTURES = {
    "weight": ("strided", "grad_weight", "figure.result td:not(.gap) >> nth=9", "nn", 1280, 1120, "light"),
    "input-phone": ("padded", "grad_input", "figure.result td:not(.gap) >> nth=14", "", 390, 760, "dark"),
    "digit": ("digit", "output", "figure.result td:not(.gap) >> nth=460", "", 1280, 1000, "light"),
    "question": ("question", "grad_weight", "figure.result td:not(.gap) >> nth=4", "", 1280, 1000, "light"),
    "flipped": ("flipped", "grad_weight", "figure.yours td:not(.gap) >> nth=2", "", 1280, 700, "dark"),
    "transposed": ("transposed", "output", "figure.result td:not(.gap) >> nth=8", "", 1280, 800, "light"),
}


def timed(browser: Browser, path: Path) -> None:
    """Print what one page takes."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    loads = []
    for _ in range(5):
        page.goto(path.as_uri())
        loads.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
    answers = page.evaluate(ANSWERS)
    print(
        f"{path.stem:10} {path.stat().st_size / 1000:4.0f} kB   open {statistics.median(loads):4.0f} ms   "
        f"answer {statistics.median(answers):4.1f} ms, slowest of {len(answers)}: {max(answers):4.1f} ms"
    )
    page.close()


def pictured(browser: Browser, pages: Path, folder: Path) -> None:
    """Save every picture."""
    for name, (page_name, section, cell, keys, width, height, scheme) in PICTURES.items():
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto((pages / f"{page_name}.html").as_uri())
        page.locator(f"#{section} {cell}").click()
        for key in keys:
            page.keyboard.press(key)
        page.evaluate(f"document.getElementById('{section}').scrollIntoView()")
        page.locator(f"#{section} td.now").last.scroll_into_view_if_needed()
        page.screenshot(path=folder / f"{name}.png")
        page.close()


def main() -> None:
    """As the command line says."""
    from gallery import PAGES

    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path)
    pictures = parser.parse_args().pictures
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folder = Path(made)
        wanted = (
            {"strided", "question", *(page for page, *_ in PICTURES.values())} if pictures else {"strided", "question"}
        )
        for name in wanted:
            PAGES[name]().save(folder / f"{name}.html")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        print(f"Chromium {browser.version}, handgrad {hg.__version__}")
        for name in ("strided", "question"):
            timed(browser, folder / f"{name}.html")
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            pictured(browser, folder, pictures)
        browser.close()


if __name__ == "__main__":
    main()
