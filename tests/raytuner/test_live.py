"""The page of a run that goes on: made when there is news, and never a traceback."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

from raytuner.journal import encode
from raytuner.live import SCRIPT, Live
from tests.raytuner.live_probes import ask, listed, place, ran, serving, state, until, waiting

__all__ = ["ran", "waiting"]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


# ---- what a look costs


def test_a_page_is_made_once_however_many_ask(ran):
    made = []

    def counting(results, shown):
        made.append(1)
        time.sleep(0.05)
        return listed(results, shown)

    with serving(Live(ran, counting)) as server, ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(lambda _: ask(server, place(server)).body, range(32)))
        states = list(pool.map(lambda _: state(server)["version"], range(32)))
    assert len(set(pages)) == 1
    assert len(set(states)) == 1
    assert made == [1]


def test_a_growing_journal_makes_a_page_only_after_a_pause(ran):
    clock = Clock()

    def slow(results, shown):
        clock.now += 2.0
        return listed(results, shown)

    live = Live(ran, slow, clock)
    journal = ran / "journal.jsonl"
    first = live.page()

    def grow(event):
        with journal.open("ab") as file:
            file.write(encode({"event": event, "t": 1.0}))

    grow("note")
    assert live.state()["version"] == first.version
    clock.now += 7.9
    assert live.state()["version"] == first.version
    clock.now += 0.2
    assert live.state()["version"] != first.version
    second = live.page()
    assert second.version == live.state()["version"]
    grow("closed")  # the end is shown at once
    assert live.state()["version"] != second.version
    assert live.state()["running"] is False


# ---- runs that cannot be shown


def text_of(live):
    return re.sub(r"(?s)<(script|style)>.*?</\1>|<[^>]*>", "", live.page().body.decode()).strip()


def test_a_run_that_has_not_begun_is_waited_for(tiny, raytuner):
    live = Live(tiny.run_folder, listed)
    assert "yet; this page fills itself once the study runs." in text_of(live)
    assert live.state()["running"] is False
    waiting = live.state()["version"]
    tiny.run_folder.mkdir(parents=True)
    (tiny.run_folder / "journal.jsonl").write_bytes(b'{"crc":"0000')  # the first line, half written
    live = Live(tiny.run_folder, listed)
    assert "fills itself" in text_of(live)
    (tiny.run_folder / "journal.jsonl").unlink()
    assert raytuner("run", "study.yaml").code == 0
    assert live.state()["version"] != waiting
    assert "trial 0:" in text_of(live)


def test_a_half_written_line_is_passed_over(ran):
    with (ran / "journal.jsonl").open("ab") as file:
        file.write(b'{"crc":"12345678","event":"uni')
    live = Live(ran, listed)
    assert "trial 0:" in text_of(live)
    assert live.state()["event"] == "closed"


def test_damage_is_one_sentence_on_a_page_that_goes_on_asking(ran):
    clock = Clock()
    live = Live(ran, listed, clock)
    journal = ran / "journal.jsonl"
    good = journal.read_bytes()
    journal.write_bytes(good.replace(b'"units"', b'"<b>no"', 1))
    text = text_of(live)
    assert "the checksum does not fit" in text
    assert text.count("\n") == 0
    assert SCRIPT.read_text() in live.page().body.decode()
    clock.now += 100
    journal.write_bytes(good)
    assert "trial 0:" in text_of(live)


def test_a_report_that_cannot_be_made_is_said_without_details(ran, capsys):
    def broken(results, shown):
        raise ZeroDivisionError("secret")

    live = Live(ran, broken)
    assert "cannot be made" in text_of(live)
    assert "secret" not in live.page().body.decode()
    assert "secret" in capsys.readouterr().err


# ---- beside a study that runs


def test_the_page_follows_a_study_in_another_process(waiting):
    until((waiting.folder / "journal.jsonl").exists)
    with serving(Live(waiting.folder, listed)) as server:
        seen = set()

        def page():
            text = ask(server, place(server)).text
            seen.update(re.findall(r"trial (\d): 0", text))
            return seen

        for number, x in enumerate((1, 2, 3)):
            waiting.let(x)
            until(lambda wanted=number + 1: len(page()) >= wanted)
        until(lambda: not state(server)["running"])
        assert state(server)["event"] == "closed"
        assert len(page()) == 3
    assert waiting.process.wait(60) == 0


# ---- policies


def test_a_policy_of_the_page_itself_is_kept_and_widened_by_one_script(ran):
    own = "default-src 'none'; script-src 'sha256-abc='; img-src data:"

    def strict(results, shown):
        meta = f'<meta http-equiv="Content-Security-Policy" content="{own}">'
        return f"<!doctype html><html><head>{meta}</head><body>text</body></html>"

    page = Live(ran, strict).page()
    assert page.policy.startswith("default-src 'none'; script-src 'sha256-abc=' 'sha256-")
    assert "img-src data:" in page.policy
    inner = page.policy.removesuffix("; frame-ancestors 'none'")
    assert f'content="{inner}"' in page.body.decode()
