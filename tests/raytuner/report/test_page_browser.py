"""The page in a real Chromium: offline, with and without scripts, by mouse and by keyboard."""

import pytest

from tests.raytuner.report.conftest import HOSTILE


def numbers(page):
    """Give the trial numbers of the rows that are shown, in their order."""
    return [
        int(number)
        for number in page.eval_on_selector_all(
            ".leaderboard tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.trial)"
        )
    ]


def harmless(page):
    """Assert that no text of others became markup or ran."""
    assert page.locator("img, #injected, iframe, object").count() == 0
    assert page.title() == f"study {HOSTILE}: tuning report".replace("\u2028", "\\u2028")
    assert page.locator("script").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_request_and_not_a_word(visit, page_file, scheme):
    seen = visit(page_file, color_scheme=scheme)
    seen.page.wait_for_timeout(100)
    assert seen.requests == [page_file.as_uri()]
    assert seen.said == []
    harmless(seen.page)


def test_all_parts_are_there_with_scripts_off(visit, page_file):
    seen = visit(page_file, java_script_enabled=False)
    page = seen.page
    for name in ("verdict", "leaderboard", "effects", "heatmap", "parallel", "curve", "questions"):
        assert page.locator(f"section#{name}").is_visible(), name
    assert page.locator(".leaderboard tbody tr:visible").count() == 12
    assert page.locator("#parallel path.rt-line").count() == 12
    details = page.locator(".questions > details").first
    details.locator("summary").first.click()
    assert details.locator("mark").first.inner_text() == "The evidence."
    assert details.locator("article").count() >= 2
    assert seen.requests == [page_file.as_uri()]
    assert page.locator("img, #injected").count() == 0


def test_a_row_for_every_question(visit, page_file):
    page = visit(page_file).page
    assert page.locator(".questions > details").count() == 60
    assert page.locator(".questions > details:visible").count() == 40
    page.get_by_role("button", name="Show all 60 questions").click()
    assert page.locator(".questions > details:visible").count() == 60


def test_an_open_question_shows_all_sides_and_runs_nothing(visit, page_file):
    seen = visit(page_file)
    page = seen.page
    page.locator(".questions > details > summary").first.click()
    one = page.locator(".questions > details[open]")
    unit = one.get_attribute("data-unit")
    assert f"{unit}? {HOSTILE}" in one.locator(".wording").text_content()
    sides = one.locator("article")
    for place in range(sides.count()):
        side = sides.nth(place)
        trial = side.locator("h4 a").inner_text().removeprefix("trial ")
        assert f"trial {trial} says {HOSTILE}" in side.text_content()
        assert side.locator("mark").first.inner_text() == "The evidence."
    harmless(page)
    assert seen.said == []


def test_columns_sort_both_ways(visit, page_file):
    page = visit(page_file).page
    before = numbers(page)
    button = page.locator(".leaderboard thead button", has_text="trial").first
    button.click()
    assert numbers(page) == sorted(before)
    assert button.locator("..").get_attribute("aria-sort") == "ascending"
    button.click()
    assert numbers(page) == sorted(before, reverse=True)
    page.locator(".leaderboard thead button", has_text="hit").first.click()
    scores = page.eval_on_selector_all(
        ".leaderboard td.score, .leaderboard td.about", "all => all.map(one => one.dataset.v)"
    )
    known = [float(score) for score in scores if score is not None]
    assert known == sorted(known, reverse=True)
    assert sorted(numbers(page)) == sorted(before)


def test_choosing_a_value_keeps_the_lines_that_pass_there(visit, page_file):
    page = visit(page_file).page
    level = page.locator('.rt-level[aria-label="only x = 2"]')
    level.focus()
    page.keyboard.press("Enter")
    assert level.get_attribute("aria-pressed") == "true"
    assert page.locator("path.rt-line.on").count() == 3
    assert page.locator("path.rt-line.off").count() == 9
    assert page.locator(".leaderboard tr.out").count() == 9
    assert page.locator("#brushed").inner_text().startswith("3 of 12 configurations pass here")
    page.get_by_role("button", name="Clear").click()
    assert page.locator("path.rt-line.off, .leaderboard tr.out").count() == 0
    assert page.locator("#brushed").inner_text() == ""


def test_dragging_along_the_score_keeps_the_best(visit, page_file):
    page = visit(page_file).page
    grip = page.locator(".rt-grip").last
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    kept = page.locator("path.rt-line.on")
    heights = kept.evaluate_all("all => all.map(one => Number(one.dataset.at.split(' ').at(-1)))")
    off = page.locator("path.rt-line.off").evaluate_all(
        "all => all.map(one => Number(one.dataset.at.split(' ').at(-1)))"
    )
    assert heights
    assert off
    assert min(heights) >= max(off)
    assert len(heights) + len(off) == 12


def test_other_pairs_of_parameters_can_be_chosen(visit, page_file):
    page = visit(page_file).page
    assert page.locator("#heatmap .stage figure").count() == 1
    if page.locator("#pair").count():
        page.locator("#pair").select_option(index=1)
        assert page.locator("#heatmap .stage figure").count() == 1


def test_deep_links_open_what_they_name(visit, page_file):
    page = visit(page_file, "#q-q7").page
    assert page.locator("#q-q7").get_attribute("open") is not None
    page.wait_for_timeout(100)
    assert page.locator("#q-q7").evaluate("one => one.getBoundingClientRect().top") < 300
    page = visit(page_file, "#trial-3").page
    page.wait_for_timeout(100)
    top = page.locator("#trial-3").evaluate("row => row.getBoundingClientRect().top")
    assert 0 < top < 900


def test_arrow_keys_walk_through_the_questions(visit, page_file):
    page = visit(page_file).page
    names = page.eval_on_selector_all(
        ".questions > details", "all => all.map(one => one.dataset.unit)"
    )

    def here():
        return page.evaluate("document.activeElement.parentElement.dataset.unit")

    page.locator(".questions > details > summary").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert here() == names[2]
    page.keyboard.press("ArrowUp")
    assert here() == names[1]
    page.keyboard.press("ArrowRight")
    assert page.locator(".questions > details[open]").count() == 1
    page.keyboard.press("ArrowLeft")
    assert page.locator(".questions > details[open]").count() == 0
    page.keyboard.press("End")
    assert here() == names[39]
    page.keyboard.press("Home")
    assert here() == names[0]


def test_the_first_tab_skips_to_the_verdict(visit, page_file):
    page = visit(page_file).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_finding_and_ordering_questions(visit, page_file):
    page = visit(page_file).page
    page.locator("#find").fill("q17?")
    assert page.locator(".questions > details:visible").count() == 1
    page.locator("#find").fill("")
    page.locator("#order").select_option("unit")
    first = page.locator(".questions > details:visible").first
    assert first.get_attribute("data-unit") == "q0"
    page.locator("#differs").check()
    assert page.locator(".questions > details:visible:not([data-differs])").count() == 0


def test_colours_can_be_switched_and_stay(visit, page_file):
    page = visit(page_file, color_scheme="light").page
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch to dark colours").click()
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen(visit, page_file, width):
    page = visit(page_file, width=width).page
    page.locator(".questions > details > summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_printed_is_light_and_whole(visit, page_file):
    page = visit(page_file, color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.locator(".tools:visible").count() == 0
    assert page.locator(".verdict .sentence").is_visible()
