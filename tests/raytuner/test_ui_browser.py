"""The live report in a real browser: it follows the study and leaves the reader's place alone."""

import pytest

from raytuner.live import Live
from tests.raytuner.live_probes import listed, serving, until, waiting

__all__ = ["waiting"]


def holds(tab, expression):
    """Wait until something is so in the page; the page's policy lets nobody do that inside it."""

    broken = pytest.importorskip("playwright.sync_api").Error

    def look():
        try:
            return tab.evaluate(expression)
        except broken:  # it is being loaded again
            return False

    until(look)


def test_trials_appear_while_the_study_runs(waiting, tab):
    with serving(Live(waiting.folder, listed)) as server:
        tab.goto(server.url)
        for number, x in enumerate((1, 2, 3)):
            waiting.let(x)
            tab.wait_for_selector(f"#trial-{number} >> text=/0\\.\\d/")
        tab.wait_for_selector("text=Live: nothing is running")
        assert tab.said == []
        assert {url.startswith(server.url) for url in tab.asked} == {True}
    tab.wait_for_selector("text=Not live any more")


def test_the_readers_place_stays(waiting, tab):
    waiting.let(1)
    until((waiting.folder / "journal.jsonl").exists)
    with serving(Live(waiting.folder, listed)) as server:
        tab.goto(server.url + "#end")
        tab.wait_for_selector("#trial-0 >> text=/0\\.\\d/")
        tab.evaluate("document.getElementById('more').open = true; scrollTo(0, 700)")
        holds(tab, "scrollY > 600")
        before = tab.evaluate("document.getElementById('end').getBoundingClientRect().top")
        tab.evaluate("document.body.dataset.old = '1'")
        waiting.let(2)
        holds(tab, "!document.body.dataset.old && document.getElementById('trial-1')")
        holds(tab, "scrollY > 0")
        assert tab.evaluate("document.getElementById('more').open")
        after = tab.evaluate("document.getElementById('end').getBoundingClientRect().top")
        assert abs(after - before) < 60  # a line more above it at most
        assert tab.url.endswith("#end")


def test_nobody_is_interrupted(waiting, tab):
    waiting.let(1)
    until((waiting.folder / "journal.jsonl").exists)
    with serving(Live(waiting.folder, listed)) as server:
        tab.goto(server.url)
        tab.wait_for_selector("#trial-0 >> text=/0\\.\\d/")
        tab.evaluate("""() => {
            document.body.dataset.old = '1';
            getSelection().selectAllChildren(document.getElementById('trial-0'));
        }""")
        waiting.let(2)
        tab.wait_for_selector("text=New results: shown when you pause")
        assert tab.evaluate("document.body.dataset.old") == "1"
        tab.evaluate("getSelection().removeAllRanges()")
        holds(tab, "!document.body.dataset.old && document.getElementById('trial-1')")


def test_a_page_that_waits_for_the_run_turns_into_the_report(tmp_path, tab, waiting):
    hidden = tmp_path / "elsewhere"
    with serving(Live(hidden, listed)) as server:
        tab.goto(server.url)
        tab.wait_for_selector("text=fills itself once the study runs")
        waiting.let(1)
        until((waiting.folder / "journal.jsonl").exists)
        hidden.symlink_to(waiting.folder)
        tab.wait_for_selector("#trial-0")
        assert tab.said == []


def test_the_report_itself_is_kept_up_to_date(waiting, tab):
    waiting.let(1)
    until((waiting.folder / "journal.jsonl").exists)
    with serving(Live(waiting.folder)) as server:
        tab.goto(server.url + "#leaderboard")
        tab.wait_for_selector("h1 >> text=waiting")
        for x in (2, 3):
            waiting.let(x)
        holds(tab, "document.body.innerText.includes('3 configurations')")
        tab.wait_for_selector("text=Live: nothing is running")
        assert tab.url == server.url + "#leaderboard"
        assert tab.said == []
        assert {url.partition("#")[0].startswith(server.url) for url in tab.asked} == {True}
    assert waiting.process.wait(60) == 0
