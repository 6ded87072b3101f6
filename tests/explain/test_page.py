"""The page in a browser: keys, pins, the address, paper, frames, and who cannot see or would rather not be moved."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browsing import Open, cell, head
from playwright.sync_api import expect
from pypdf import PdfReader

import handgrad as hg
from handgrad._check import Finding
from handgrad._explain.numbers import number


def default() -> hg.Trace:
    return hg.explain((1, 2, 5, 6), (3, 2, 3, 2), (3,), stride=2)


def test_the_default_page_is_small_and_whole() -> None:
    page = default().to_html()
    assert len(page.encode()) < 100_000
    assert not re.search(r"(src|href)=[\"']?[^#\"']|@import|url\(|https?://", page.partition("<script")[0])
    assert page.count("<section") == 5


def test_the_letters_say_what_dy_is_and_how_the_columns_are_headed() -> None:
    page = default().to_html()
    for told in (
        "<dt>dy</dt><dd>∂loss/∂y: how the loss changes with each output; here small made-up numbers</dd>",
        "<dt>dw, dx, db</dt><dd>∂loss/∂w, ∂loss/∂x, ∂loss/∂b</dd>",
        "<dt>p, k</dt><dd>a window, and a tap of the kernel: (row, column), a pair each</dd>",
        "<dt>1·2,1</dt><dd>heads a row of the columns: channel 1, tap (row, column) = (2, 1)</dd>",
        "<dt>1,2</dt><dd>heads a column of the columns: the window at (row, column) = (1, 2)</dd>",
    ):
        assert told in page
    assert '<th scope="row">1·2,1' in page
    assert '<th scope="col">1,2' in page


def test_the_letters_of_somebodys_own_gradient_do_not_call_it_made_up() -> None:
    page = hg.explain((1, 2, 5), (3, 2, 2), grad_output=torch.ones(1, 3, 4)).to_html()
    assert "how the loss changes with each output</dd>" in page
    assert "<dt>dw, dx</dt>" in page
    assert "<dt>p, k</dt><dd>a window, and a tap of the kernel</dd>" in page


@pytest.mark.parametrize(("transposed", "solid"), [(False, "input"), (True, "output")])
def test_the_marks_are_named_by_the_tensors_they_stand_on(transposed: bool, solid: str) -> None:
    page = hg.explain((1, 3, 5), (3, 3, 2), transposed=transposed).to_html()
    assert f'<span class="swatch m-image">5</span> of the {solid}, or its gradient' in page


def test_each_section_begins_with_an_example(opened: Open) -> None:
    page = opened(default())
    for section, first in [
        ("output", "y[0, 1, 1, 1] = "),
        ("grad_bias", "db[1] = "),
        ("grad_weight", "dw[1, 1, 1, 1] = "),
    ]:
        assert head(page, section).startswith(first)
        assert page.locator(f"#{section} td.now").count() == 1
        assert page.locator(f"#{section} .terms li").count() > 3


def test_pointing_marks_until_a_click_pins(opened: Open) -> None:
    page = opened(default())
    cell(page, "grad_weight", "grad_weight", 0).hover()
    assert head(page, "grad_weight") == "dw[0, 0, 0, 0] = 2"
    assert page.locator("#grad_weight .m-image").count() == 6
    cell(page, "grad_weight", "grad_weight", 3).click()
    cell(page, "grad_weight", "grad_weight", 0).hover()
    assert head(page, "grad_weight").startswith("dw[0, 0, 1, 1]")
    cell(page, "grad_weight", "grad_weight", 3).click()  # again: released
    cell(page, "grad_weight", "grad_weight", 0).hover()
    assert head(page, "grad_weight").startswith("dw[0, 0, 0, 0]")


def test_the_buttons_step_through_the_terms_and_clear(opened: Open) -> None:
    page = opened(default())
    panel = page.locator("#grad_weight .readout")
    cell(page, "grad_weight", "grad_weight", 0).click()
    for count in range(1, 7):
        panel.get_by_role("button", name="next term").click()
        assert panel.locator(".detail").inner_text().startswith(f"term {count} of 6: dy[0, 0, ")
        assert page.locator("#grad_weight td.step").count() == 3  # grad_output, input, columns
    assert panel.locator(".detail").inner_text().endswith("so far 2")
    panel.get_by_role("button", name="next term").click()
    assert "term 1 of 6" in panel.locator(".detail").inner_text()
    panel.get_by_role("button", name="previous term").click()
    assert "term 6 of 6" in panel.locator(".detail").inner_text()
    panel.locator("li[data-term='2']").click()
    assert "term 3 of 6" in panel.locator(".detail").inner_text()
    panel.get_by_role("button", name="clear").click()
    assert page.locator("#grad_weight td.now, #grad_weight [class*='m-']").count() == 0
    assert panel.inner_text().count("Point at a number.") == 1


def test_play_steps_by_itself_and_not_for_who_wants_no_motion(opened: Open) -> None:
    page = opened(default())
    page.locator("#output [data-do=play]").click()
    expect(page.locator("#output .detail")).to_contain_text("term 2 of", timeout=5000)
    page.locator("#output [data-do=play]").click()
    still = opened(default(), reduced_motion="reduce")
    expect(still.locator("#output [data-do=play]")).to_be_hidden()


def test_what_is_pinned_is_in_the_address_and_comes_back(opened: Open) -> None:
    page = opened(default())
    cell(page, "grad_input", "grad_input", 9).click()
    page.keyboard.press("n")
    page.keyboard.press("n")
    fragment = page.evaluate("location.hash")
    assert fragment == "#grad_input/grad_input/0,0,1,3/1"
    told = page.locator("#grad_input .readout").inner_text()
    again = opened(default(), fragment)
    assert again.locator("#grad_input .readout").inner_text() == told
    assert again.locator("#grad_input td.now").bounding_box()["y"] < 720
    again.evaluate("location.hash = '#output/input/0,1,2,2'")
    expect(again.locator("#output .sum b")).to_have_text("x[0, 1, 2, 2] = 2")
    page.keyboard.press("Escape")
    assert page.evaluate("location.hash") == ""


def test_escape_clears_what_the_address_pinned(opened: Open) -> None:
    page = opened(default(), "#grad_weight/grad_weight/0,0,1,0/2")
    assert page.locator("#grad_weight.pinned").count() == 1
    assert cell(page, "grad_weight", "grad_weight", 2).get_attribute("tabindex") == "0"
    page.keyboard.press("Escape")
    assert page.locator(".pinned").count() == 0
    assert page.evaluate("location.hash") == ""


def test_a_click_on_a_weight_leaves_operands_result_and_sum_in_sight(opened: Open) -> None:
    page = opened(default(), viewport={"width": 1280, "height": 800})
    cell(page, "grad_weight", "grad_weight", 3).click()
    page.evaluate("document.querySelector('#grad_weight').scrollIntoView()")
    floor = page.locator("#grad_weight .readout").bounding_box()["y"]
    for figure in page.locator("#grad_weight figure").all():
        box = figure.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= floor


def test_the_fold_tells_the_row_of_the_columns_that_meets_a_weight(opened: Open) -> None:
    page = opened(default())
    summary = page.locator("#grad_weight .folded summary")
    cell(page, "grad_weight", "grad_weight", 3).click()  # out 0, in 0, tap (1, 1): the columns' row 3
    row = [
        text.strip()
        for text in page.locator("#grad_weight .folded tr:has(td.m-column) td.m-column").all_text_contents()
    ]
    assert len(row) > 3
    expect(summary).to_have_text(f"Show 12 rows; row 0·1,1 is {', '.join(row)}")
    page.keyboard.press("Escape")
    expect(summary).to_have_text("Show 12 rows")


def test_columns_of_many_rows_are_folded_until_they_are_asked_for(opened: Open) -> None:
    page = opened(default())
    first = cell(page, "grad_weight", "columns", 0)
    expect(first).to_be_hidden()
    page.locator("#grad_weight .folded summary").click()
    first.click()
    assert head(page, "grad_weight").startswith("cols[0, 0, 0] = ")
    again = opened(default(), "#grad_weight/columns/0,1,0")  # the address unfolds what it names
    expect(cell(again, "grad_weight", "columns", 6)).to_be_visible()
    assert 'class="folded"' not in hg.explain((1, 2, 5), (3, 2, 4)).to_html()
    assert 'class="folded"' in hg.explain((1, 3, 5), (3, 3, 3)).to_html()


@pytest.mark.parametrize(
    "fragment",
    ["#nowhere", "#output/input", "#output/input/9,9,9,9", "#output/none/0", "#%E0/x", "#output/grad_bias/0"],
)
def test_an_address_that_names_nothing_does_no_harm(opened: Open, fragment: str) -> None:
    assert head(opened(default(), fragment), "output").startswith("y[0, 1, 1, 1]")


def test_the_keyboard_reaches_everything(opened: Open) -> None:
    page = opened(default())
    page.locator("#output figure[data-tensor=input] td[tabindex='0']").focus()
    stops = []
    for _ in range(5):
        stops.append(page.evaluate("document.activeElement.closest('figure').dataset.tensor"))
        page.keyboard.press("Tab")
    assert stops == ["input", "columns", "weight", "bias", "output"]
    page.locator("#grad_weight figure[data-tensor=grad_weight] td[tabindex='0']").focus()
    walked = []
    for key in [
        "ArrowRight",
        "ArrowDown",
        "ArrowRight",
        "ArrowUp",
        "End",
        "PageDown",
        "PageUp",
        "Control+End",
        "Home",
        "Control+Home",
        "ArrowLeft",
        "ArrowUp",
    ]:
        page.keyboard.press(key)
        walked.append(head(page, "grad_weight").partition(" =")[0])
    assert walked == [
        "dw[0, 0, 0, 1]", "dw[0, 0, 1, 1]", "dw[0, 1, 1, 0]", "dw[0, 1, 0, 0]", "dw[0, 1, 0, 1]", "dw[1, 0, 0, 1]",
        "dw[0, 1, 0, 1]", "dw[0, 1, 2, 1]", "dw[0, 1, 2, 0]", "dw[0, 1, 0, 0]", "dw[0, 0, 0, 1]", "dw[0, 0, 0, 1]",
    ]  # fmt: skip
    page.keyboard.press("Enter")
    page.keyboard.press("p")
    assert "term 6 of 6" in page.locator("#grad_weight .detail").inner_text()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # back to where one was
    assert page.evaluate("document.activeElement.ariaLabel").startswith("grad weight, out 0, in 0, row 0, column 1")


def test_a_screen_reader_hears_place_value_and_sum(opened: Open) -> None:
    page = opened(default())
    for _ in range(2):
        first = page.locator("#grad_weight figure[data-tensor=grad_weight] td[tabindex='0']")
        first.focus()
        page.keyboard.press("PageDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(
        page.get_by_role("gridcell", name=re.compile(r"^grad weight, out 1, in 0, row 2, column 0: −?\d+ = .+·.+ \+ "))
    ).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("#grad_weight [role=status]")).to_have_text(
        re.compile(r"^term 1 of 6: dy\[0, 1, 0, 0\] · x\[0, 0, ")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["default", "compared", "shades"])
def test_axe_finds_nothing(opened: Open, scheme: str, kind: str) -> None:
    trace = default()
    if kind == "compared":
        trace = trace.compare(weight=trace["grad_weight"].flip(2), input=torch.zeros(3))
    if kind == "shades":
        trace = hg.explain((1, 1, 20, 20), (1, 1, 3, 3), padding=1, padding_mode="reflect")
    page = opened(trace, color_scheme=scheme)
    cell(page, "grad_weight", "grad_weight", 0).click()
    page.keyboard.press("n")
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found] == []


def test_marks_differ_in_more_than_colour(opened: Open) -> None:
    page = opened(default())
    borders = [
        page.locator(f".marks .swatch.{kind}").evaluate(
            "(e) => [getComputedStyle(e).borderStyle, getComputedStyle(e).fontWeight].join()"
        )
        for kind in ("m-image", "m-weight", "m-map", "m-column", "now", "u")
    ]
    assert len({*borders[:4], borders[4]}) == 5
    hatch = page.locator(".marks .swatch.p").evaluate("(e) => getComputedStyle(e).backgroundImage")
    assert "gradient" in hatch


def test_forced_colours_keep_what_is_pointed_at(opened: Open) -> None:
    page = opened(default(), forced_colors="active")
    now, plain = (
        page.locator(where).first.evaluate("(e) => getComputedStyle(e).backgroundColor")
        for where in ("#output td.now", "#output td:not(.gap):not([class])")
    )
    assert now != plain


def test_paper_shows_everything(opened: Open) -> None:
    page = opened(default())
    page.locator("#output [data-do=clear]").click()
    text = "".join(part.extract_text() for part in PdfReader(io.BytesIO(page.pdf())).pages)
    for title in ("Forward", "∂weight", "∂bias", "∂input", "The numbers, to run it yourself"):
        assert title in text
    for written in ("y[0, 1, 1, 1] =", "dw[1, 1, 1, 1] =", "db[1] =", "dx[0, 1, "):
        assert written in text
    for code in ("F.unfold", "F.fold", "torch.einsum", "for n, o, c in product", "x = torch.tensor"):
        assert code in text
    assert page.locator("details[open]").count() == 0  # and the screen is as it was


def test_paper_is_light_whatever_the_screen_is(opened: Open) -> None:
    page = opened(default(), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate("['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])")
    assert colours == ["rgb(28, 31, 35)", "rgb(255, 255, 255)"]


def test_a_notebook_shows_it_in_a_frame(opened: Open, tmp_path: Path) -> None:
    frame = default()._repr_html_()
    assert frame.startswith("<iframe ")
    (tmp_path / "notebook.html").write_text(f"<!doctype html><title>n</title><p>before</p>{frame}")
    page = opened(tmp_path / "notebook.html")
    inside = page.frame_locator("iframe")
    inside.locator("nav a").nth(1).click()
    assert page.url.endswith("notebook.html")
    target = inside.locator("#grad_weight figure[data-tensor=grad_weight] td:not(.gap)").nth(1)
    target.click()
    expect(inside.locator("#grad_weight .sum b")).to_have_text(re.compile(r"dw\[0, 0, 0, 1\] = "))
    expect(inside.locator("#grad_weight .sum span")).to_contain_text("pinned")
    target.press("n")
    expect(inside.locator("#grad_weight .detail")).to_contain_text("term 1 of 6")


def test_a_frame_does_not_move_the_page_around_it(opened: Open, tmp_path: Path) -> None:
    default().save(tmp_path / "inner.html")
    frame = '<iframe src="inner.html#grad_input/grad_input/0,0,1,1" height="500" width="900"></iframe>'
    (tmp_path / "outer.html").write_text(f"<!doctype html><title>o</title><div style='height: 3000px'></div>{frame}")
    page = opened(tmp_path / "outer.html")
    inside = page.frame_locator("iframe")
    expect(inside.locator("#grad_input .sum b")).to_have_text(re.compile(r"dx\[0, 0, 1, 1\] = "))
    inner = page.frames[1]
    assert inner.evaluate("scrollY") > 1000
    assert page.evaluate("scrollY") == 0


def test_names_from_outside_are_only_text(opened: Open) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028'\"&amp;"

    finding = Finding("</style>" + evil, evil, fix=evil, evidence={"operands": {evil: (1, 2)}})
    trace = hg.explain((1, 1, 4), (1, 1, 2), title=evil).compare(weight=torch.zeros(1, 1, 2), findings=[finding])
    page = opened(trace)
    assert page.locator("h1").text_content() == evil
    assert page.title().split() == evil.split()
    assert page.locator(".cause pre").text_content() == evil
    cell(page, "grad_weight", "grad_weight", 1).hover()
    assert head(page, "grad_weight").startswith("dw[0, 0, 1]")


def test_numbers_that_are_none_do_no_harm(opened: Open) -> None:
    page = opened(hg.explain(torch.tensor([[[1.0, float("nan"), float("inf"), 4.0]]]), (1, 1, 2)))
    cell(page, "output", "output", 0).hover()
    assert head(page, "output") == "y[0, 0, 0] = nan"


def test_a_large_layer_is_elided_and_says_so(opened: Open) -> None:
    trace = hg.explain(torch.randn(1, 32, 40, 48), torch.randn(16, 32, 3, 3), padding=1)
    page = opened(trace)
    assert page.locator("td").count() < 25_000
    assert "shown: C 3 of 32, IH 24 of 42, IW 24 of 50" in page.locator("#output figcaption").first.inner_text()
    target = cell(page, "grad_weight", "grad_weight", 0)
    target.hover()
    rest = page.locator("#grad_weight .terms li.rest").inner_text()
    assert re.fullmatch(r"1896 more, together −?[\d.]+", rest)
    assert head(page, "grad_weight") == f"dw[0, 0, 0, 0] = {number(trace['grad_weight'][0, 0, 0, 0].item())}"


def test_a_layer_of_many_planes_shows_a_few_and_says_so(opened: Open) -> None:
    page = opened(hg.explain((1, 8, 7, 7), (16, 8, 3, 3)))
    assert max(figure.locator("table").count() for figure in page.locator("figure").all()) == 16
    caption = page.locator("#grad_weight figure.result figcaption").inner_text()
    assert "shown: O 4 of 16, C 4 of 8" in caption


def test_a_claim_stands_beside_the_right_result(opened: Open) -> None:
    trace = default()
    page = opened(trace.compare(weight=trace["grad_weight"].flip(2, 3)))
    assert "kernel-flipped" in page.locator("#grad_weight .cause").inner_text()
    cell(page, "grad_weight", "grad_weight", 0, "[data-yours]").hover()
    assert "yours 5 ✗, which belongs to dw[0, 0, 2, 1]" in page.locator("#grad_weight .sum").inner_text()
    assert page.locator("#grad_weight figure.result td.moved").count() == 1
    assert page.locator("#grad_weight figure.result td.now").count() == 1
    label = cell(page, "grad_weight", "grad_weight", 0, "[data-yours]")
    label.focus()
    assert re.match(
        r"your grad weight, out 0, in 0, row 0, column 0: 5, wrong, must be 2 = ", label.get_attribute("aria-label")
    )


def test_terms_that_a_claim_lacks_are_struck_out(opened: Open) -> None:
    trace = hg.explain((2, 1, 4), (1, 1, 2))
    page = opened(
        trace.compare(
            weight=hg.explain(trace["input"][:1], trace["weight"], grad_output=trace["grad_output"][:1])["grad_weight"]
        )
    )
    cell(page, "grad_weight", "grad_weight", 0).hover()
    assert page.locator("#grad_weight .terms li.lacking").count() == 3
    assert "only 3 of 6 terms" in page.locator("#grad_weight .sum").inner_text()


def test_a_claim_of_another_shape_is_shown_as_it_is(opened: Open) -> None:
    page = opened(hg.explain((1, 1, 6, 6), (1, 1, 3, 3), padding=1).compare(weight=torch.ones(36, 9, 36)))
    yours = page.locator("#grad_weight figure.yours")
    assert "(36, 9, 36)" in yours.inner_text()
    assert "must be (1, 1, 3, 3)" in yours.inner_text()
    assert yours.locator("td").count() < 400


@pytest.mark.parametrize("width", [360, 1280])
def test_no_width_scrolls_the_page_sideways(opened: Open, width: int) -> None:
    page = opened(hg.explain((1, 2, 9, 14), (3, 2, 3, 3), padding=1), viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_long_sum_leaves_the_buttons_and_the_term_in_sight(opened: Open) -> None:
    generator = torch.Generator().manual_seed(0)
    trace = hg.explain(torch.randn(1, 1, 9, 9, generator=generator), torch.randn(1, 1, 3, 3, generator=generator))
    page = opened(trace, viewport={"width": 390, "height": 844})
    page.evaluate("document.querySelector('#grad_weight').scrollIntoView()")
    readout = page.locator("#grad_weight .readout")
    assert readout.evaluate("element => element.scrollHeight > element.clientHeight")
    readout.locator("[data-do=next]").click()
    for part in ("[data-do=next]", ".detail"):
        assert readout.locator(part).evaluate("element => element.getBoundingClientRect().bottom") < 844
    assert readout.evaluate("element => element.scrollTop") == 0


def test_the_frame_escapes_the_page() -> None:
    frame = default()._repr_html_()
    inner = re.fullmatch(r'<iframe title="conv2d explained" style="[^"]*" srcdoc="([^"]*)"></iframe>', frame)
    assert inner
    assert html.unescape(inner[1]) == default().to_html()
