"""The page for raters: its guards over a socket, and a whole session in a real browser."""

import http.client
import json
import re
import shutil
import signal
import threading
import urllib.parse

import pytest

from raytuner.manual.page import card_page
from raytuner.manual.round import Card, Round
from raytuner.manual.server import RatingServer
from tests.raytuner.manual.rating_probes import ORDER, better, copied, judgements, rated_study


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return rated_study(tmp_path_factory.mktemp("rated") / "a")


@pytest.fixture
def run(made, request):
    folder = copied(made, f"b{abs(hash(request.node.name))}")
    yield folder
    shutil.rmtree(folder.parent.parent)


@pytest.fixture
def server(run):
    with Round(run, "r1") as rating, RatingServer(rating) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, method="GET", place="", body=None, token=None, **headers):
    parts = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    path = parts.path if token is None else f"/{token}/"
    connection.request(
        method, path + place, body, {k.replace("_", "-"): v for k, v in headers.items()}
    )
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def form(server, **changes):
    _, page = ask(server)
    fields = dict(re.findall(r'name="(nonce|card)" value="([^"]+)"', page))
    return urllib.parse.urlencode({**fields, "choice": "left", **changes})


def test_a_form_is_kept_and_leads_to_the_next(server, run):
    first = form(server)
    answer, _ = ask(server, "POST", "rate", first, Origin=server.url.rsplit("/", 2)[0])
    assert (answer.status, answer.headers["Location"]) == (303, server.url)
    assert len(judgements(run)) == 1
    answer, _ = ask(server, "POST", "rate", first)  # sent again, by going back
    assert answer.status == 303
    assert len(judgements(run)) == 1
    assert form(server) != first


def test_what_the_page_did_not_send_is_refused(server, run):
    good = form(server)
    refused = [
        ask(server, "POST", "rate", form(server, nonce="guess")),
        ask(server, "POST", "rate", good, Origin="http://evil.example"),
        ask(server, "POST", "rate", good, Origin="null"),
        ask(server, "POST", "rate", good, Host="evil.example"),
        ask(server, "POST", "rate", good, token="guess"),
        ask(server, "POST", "rate", good + "&x=" + "y" * 5000),
        ask(server, "POST", "rate", b"\xff\xfe"),
        ask(server, "POST", "", good),
        ask(server, Host="evil.example"),
        ask(server, token="guess"),
    ]
    assert {answer.status for answer, _ in refused} == {403}
    assert ask(server, place="journal.jsonl")[0].status == 404
    assert ask(server, "DELETE")[0].status == 405
    assert not (run / "ratings/r1.jsonl").read_text()
    assert ask(server, "POST", "rate", form(server, choice="worst"))[0].status == 303
    assert not (run / "ratings/r1.jsonl").read_text()


def test_answers_are_text_whatever_they_are(server):
    answer, page = ask(server)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<b>bold</b>" not in page


def test_every_text_of_a_card_is_escaped():
    hostile = "<img src=x onerror=alert(1)>\"'&"
    page = card_page(Card(hostile, hostile, hostile, hostile, hostile), 1, hostile)
    assert "<img" not in page
    assert page.count("&lt;img") == 6


def click_through(tab, url, count):
    tab.goto(url)
    for _ in range(count):
        left, right = (tab.locator(f"#{side} .text").inner_text() for side in ("left", "right"))
        assert tab.title().startswith("Comparison")  # no answer has renamed the page
        with tab.expect_navigation():
            tab.click(f"button[value={better(left, right)}]")


@pytest.mark.slow
def test_twenty_comparisons_in_a_browser_killed_half_way(run, tab, start, finish, raytuner):
    straight = copied(run, run.parent.parent.name + "-straight")
    whole = start("rate", straight, "--rater", "r1", "-n", 20, "--page", "--no-open")
    click_through(tab, whole.stdout.readline().strip(), 20)
    assert "That was all for now. 20 comparisons" in tab.inner_text("#end")
    assert finish(whole).code == 0

    killed = start("rate", run, "--rater", "r1", "--page", "--no-open")
    click_through(tab, killed.stdout.readline().strip(), 10)
    killed.send_signal(signal.SIGKILL)
    killed.wait(60)
    again = start("rate", run, "--rater", "r1", "-n", 10, "--page", "--no-open")
    url = again.stdout.readline().strip()
    click_through(tab, url, 10)
    assert finish(again).code == 0

    assert judgements(run) == judgements(straight)
    found = json.loads(raytuner("ratings", run, "--json").out)
    assert [row["number"] for row in found["configurations"]] == ORDER
    assert tab.said == []
    assert all(address.startswith("http://127.0.0.1:") for address in tab.asked)


def test_quit_ends_the_command_and_keeps_what_is_rated(run, tab, start, finish):
    process = start("rate", run, "--rater", "r1", "--page", "--no-open")
    click_through(tab, process.stdout.readline().strip(), 2)
    with tab.expect_navigation():
        tab.click("button[value=quit]")
    assert "You may close this page" in tab.inner_text("#end")
    ended = finish(process)
    assert ended.code == 0
    assert "2 comparisons by r1 are on record" in ended.out


def test_what_no_page_can_hold_is_replaced():
    text = "a\ud800b\x00c\x1b[2Jd\n\te"
    page = card_page(Card("c", text, text, text, text), 1, "nonce")
    page.encode()
    assert "a\ufffdb\ufffdc\ufffd[2Jd\n\te" in page
