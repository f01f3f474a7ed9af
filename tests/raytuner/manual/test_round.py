"""One rater's comparisons: blind, kept at once, resumed, and of nothing that has changed since."""

import json

import pytest

from raytuner import AskTell
from raytuner.commands.rating import rating_of
from raytuner.component import ConfigError
from raytuner.journal import Journal, read
from raytuner.manual.round import Round
from raytuner.rating.ballots import read_all
from raytuner.results import Results
from raytuner.study import Study
from tests.raytuner.manual.rating_probes import (
    ORDER,
    UNITS,
    answer,
    better,
    judgements,
    rated_study,
)


@pytest.fixture
def run(tmp_path):
    return rated_study(tmp_path / "a")


def judge(run, count, rater="r1", choose=better):
    with Round(run, rater) as rating:
        for _ in range(count):
            card = rating.card()
            assert rating.rate(card.name, choose(card.left, card.right))


def order(run):
    return [row.number for row in rating_of(Results.open(run)).rows]


def test_twenty_comparisons_find_the_planted_order(run):
    judge(run, 20)
    assert order(run) == ORDER


def test_a_card_names_no_configuration_and_stays_until_it_is_judged(run):
    with Round(run, "r1") as rating:
        card = rating.card()
        assert rating.card() is card
        keys = [trial.key for trial in Results.open(run).record.current]
        assert not any(key in text for key in keys for text in card)
        assert not rating.rate("another", "left")
        assert not rating.rate(card.name, "same")
        assert rating.rate(card.name, "tie")
        assert not rating.rate(card.name, "left")  # a second click
        assert rating.card().name != card.name
        assert rating.rated == 1


def test_skipped_ones_are_not_asked_again_and_count_for_nothing(run):
    seen = set()
    with Round(run, "r1") as rating:
        while (card := rating.card()) is not None:
            assert card.name not in seen
            seen.add(card.name)
            rating.rate(card.name, "skip")
        assert len(seen) == rating.total == 6 * UNITS
        assert rating.rated == 0
    with Round(run, "r1") as rating:
        assert rating.card() is None
    assert rating_of(Results.open(run)).rows == ()


def test_equal_answers_are_not_asked_about(tmp_path):
    run = rated_study(tmp_path / "a", levels=(1, 2))
    with AskTell(Study.parse(config(run)), tmp_path / "a") as tuner:
        tuner.correct(0, {"q1": {"answer": answer(2, "q1")}}, "pasted the wrong file")
    with Round(run, "r1") as rating:
        cards = []
        while (card := rating.card()) is not None:
            cards.append(card)
            rating.rate(card.name, "left")
        assert len(cards) == UNITS - 1
        assert rating.rated == UNITS - 1
    assert {b.choice for b in read_all(run) if b.unit == "q1"} == {"same"}


def config(run):
    opened = [e for e in read(run / "journal.jsonl")[0] if e["event"] == "opened"]
    return opened[-1]["config"]


def test_a_judgement_on_an_answer_that_was_corrected_counts_no_more(tmp_path):
    run = rated_study(tmp_path / "a", levels=(1, 2))
    judge(run, UNITS)
    assert rating_of(Results.open(run)).rows[0].wins == UNITS
    with AskTell(Study.parse(config(run)), tmp_path / "a") as tuner:
        tuner.correct(0, {"q3": {"answer": "a better one: level-9"}}, "typo")
    assert rating_of(Results.open(run)).rows[0].wins == UNITS - 1
    with Round(run, "r1") as rating:  # it is asked again, and nothing else is
        card = rating.card()
        assert "level-9" in card.left + card.right
        rating.rate(card.name, better(card.left, card.right))
        assert rating.card() is None


def test_rating_goes_on_while_a_run_holds_its_journal(run):
    journal = Journal(run)
    try:
        judge(run, 3)
        assert len(judgements(run)) == 3
        judge(run, 2, "r2")
        journal.append({"event": "money", "rows": []})
    finally:
        journal.close()
    assert sum(rating_of(Results.open(run)).raters.values()) == 5


def test_several_raters_and_their_agreement(run):
    judge(run, 16)
    judge(run, 16, "r2")
    judge(
        run,
        16,
        "r3",
        choose=worse,
    )
    found = rating_of(Results.open(run))
    assert found.raters == {"r1": 16, "r2": 16, "r3": 16}
    assert found.agreement.kappa["r1", "r2"] == pytest.approx(1)
    assert found.agreement.kappa["r1", "r3"] == pytest.approx(-1)
    assert found.rows[0].number == ORDER[0]


def test_an_edited_file_stops_everything_that_would_go_by_it(run):
    judge(run, 3)
    path = run / "ratings/r1.jsonl"
    path.write_text(path.read_text().replace('"choice":"left"', '"choice":"right"', 1))
    for attempt in (
        lambda: Round(run, "r1"),
        lambda: Round(run, "r2"),
        lambda: rating_of(Results.open(run)),
    ):
        with pytest.raises(ConfigError, match=r"r1\.jsonl, line \d: .* not edited by hand"):
            attempt()


def test_there_have_to_be_two_with_answers(tmp_path):
    study = Study.parse({"objective": "manual", "space": {"x": {"choice": [1, 2]}}})
    with AskTell(study, tmp_path) as tuner:
        for _ in range(2):
            tuner.tell(tuner.ask(), 0.5)
    with pytest.raises(ConfigError, match="no two configurations with answers"):
        Round(tmp_path / "runs/study", "r1")
    with pytest.raises(ConfigError, match="no trial 7 in this run: they are 0 to 1"):
        Round(tmp_path / "runs/study", "r1", [0, 7])
    with pytest.raises(ConfigError, match="no run here"):
        Round(tmp_path, "r1")


def worse(left, right):
    return "right" if better(left, right) == "left" else "left"


def test_the_search_goes_by_the_ratings_of_the_moment(tmp_path):
    fields = {
        "search": "bayes",
        "space": {"level": {"int": [0, 99]}},
        "points": [{"level": level} for level in range(0, 100, 11)],
        "budget": {"trials": 10},
    }
    following = {}
    for choose in (better, worse):
        run = rated_study(tmp_path / choose.__name__, **fields)
        judge(run, 60, choose=choose)
        scores = {t.params["level"]: t.mean("rating") for t in Results.open(run).record.current}
        assert (scores[99] > scores[0]) == (choose is better)
        more = Study.parse({**config(run), "budget": {"trials": 11}})
        with AskTell(more, tmp_path / choose.__name__) as tuner:
            seen = {t.params["level"]: t.mean("rating") for t in tuner.results().record.current}
            assert seen == scores
            following[choose] = tuner.ask().params["level"]
    assert following[better] > 60
    assert following[worse] < 40


def test_the_journal_holds_no_rating_and_no_verdict_is_made_of_one(run):
    judge(run, 20)
    events, _ = read(run / "journal.jsonl")
    rows = [row for event in events if event["event"] == "units" for row in event["rows"]]
    assert {metric for row in rows for metric in row[1]} == {"answered"}
    assert Results.open(run).verdict.status == "NONE"
    assert json.loads(json.dumps(rating_of(Results.open(run)).to_dict()))["raters"] == {"r1": 20}
