"""The rule: who is compared, what is called better, and the sentence that says so."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.verdict import alpha_of, choose_finalists, decide, foresee

METRIC = "recall"


def scores(rng, gains, questions, base=0.5, noise=0.25):
    """Draw graded scores in [0, 1]; what the configurations have in common cancels."""
    common = rng.normal(base, 0.1, (questions, 1))
    own = rng.normal(0.0, noise, (questions, len(gains)))
    return np.clip(np.round(4 * (common + own + np.array(gains))) / 4, 0.0, 1.0)


def ask(gains, questions=200, *, seed=0, costs=None, held=None, search=None, **options):
    """Tune and decide once; column 0 is what stands."""
    rng = np.random.default_rng(seed)
    table = scores(rng, gains, questions)
    cut = int(0.4 * questions)
    search = table[:cut] if search is None else search
    finalists = choose_finalists(search, 0, costs)
    if held is None:
        held = table[cut:][:, [0, *(column for column, _ in finalists)]]
    numbers = [10 * column for column in range(len(gains))]
    options.setdefault("resamples", 1999)
    return decide(METRIC, search, numbers, 0, finalists, held, costs=costs, **options)


# ---- finalists


def test_finalists_are_the_best_the_second_and_the_cheapest_that_is_as_good():
    question = np.arange(40)
    base = np.where(question % 2, 0.5, 0.25)
    best = base + 0.25
    second = best + np.where(question < 5, np.where(question < 3, -0.25, 0.25), 0.0)
    near = best + np.where(question % 2, 0.25, -0.25) - np.where(question < 8, 0.1, 0.0)
    far = base - 0.25
    table = np.column_stack([base, best, second, near, far])

    def chosen(*costs):
        return choose_finalists(table, 0, costs)

    assert chosen(1, 1, 1, 0.5, 0.1) == ((1, "best"), (2, "second"), (3, "cheap"))
    for costs in ((1, 1, 1, 1, 0.1), (1, 1, 1, None, 0.1), (1, None, 1, 0.5, 0.1)):
        assert chosen(*costs) == ((1, "best"), (2, "second"))
    assert chosen(1, 1, 0.4, 0.5, 0.1) == ((1, "best"), (2, "second"))


def test_ties_go_by_the_order_given_and_twins_share_one_place():
    table = np.array([[0.0, 1, 0, 1, 1], [1.0, 1, 1, 1, 0], [0.0, 0, 1, 0, 1]])
    assert choose_finalists(table, 0) == ((1, "best"), (2, "second"))
    assert choose_finalists(table, 0, [1, 2, 2, 1, 2]) == ((3, "best"), (2, "second"))
    # column 4 has the same mean as 1 and 2, and comes after them
    assert choose_finalists(table[:, [0, 4, 1, 2]], 0)[0] == (1, "best")


def test_a_twin_of_what_stands_is_chosen_for_its_price_only():
    table = np.array([[0.0, 0, 1], [1.0, 1, 0], [1.0, 1, 1], [0.0, 0, 0]])
    assert choose_finalists(table, 0) == ((2, "best"),)
    assert choose_finalists(table, 0, [2, 2, 3]) == ((2, "best"),)
    assert choose_finalists(table, 0, [2, 1, 3]) == ((2, "best"), (1, "cheap"))
    assert choose_finalists(table[:, :2], 0) == ()
    assert choose_finalists(table[:, :1], 0) == ()


def test_without_what_stands_everything_can_be_chosen():
    table = np.array([[0.0, 0, 1], [1.0, 0, 1]])
    assert choose_finalists(table, None) == ((2, "best"), (0, "second"))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 10_000), st.integers(1, 3))
def test_finalists_are_distinct_and_never_what_stands(questions, columns, seed, most):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 3, (questions, columns)) / 2
    costs = rng.uniform(0, 1, columns).tolist()
    chosen = [column for column, _ in choose_finalists(table, 0, costs, most=most)]
    assert len(set(chosen)) == len(chosen) <= most
    assert 0 not in chosen
    order = rng.permutation(questions)
    assert chosen == [c for c, _ in choose_finalists(table[order], 0, costs, most=most)]


def test_a_missing_search_score_is_refused():
    with pytest.raises(ValueError, match=r"search\[1, 0\] is nan"):
        choose_finalists([[0.0, 1.0], [math.nan, 1.0]], 0)


# ---- the rule


def test_a_large_gain_is_proven():
    verdict = ask([0.0, 0.2, -0.1, 0.0])
    assert verdict.status == "PROVEN"
    assert verdict.recommended == verdict.leader.trial == 10
    assert verdict.leader.low > 0
    assert verdict.needed_questions is None
    assert re.fullmatch(
        r"PROVEN: trial 10 is better than what you have: \+\d+\.\d points of recall on 120 "
        r"questions it had never seen \(95 % interval \+\d+\.\d to \+\d+\.\d, p [<=] 0.001\)\.",
        verdict.sentence,
    )


def test_the_cheapest_of_those_proven_is_recommended():
    costs = [1.0, 3.0, 0.5, 2.0]
    verdict = ask([0.0, 0.2, 0.2, 0.2], seed=3, costs=costs)
    assert [one.trial for one in verdict.finalists if one.p < 0.05] == [10, 30, 20]
    assert max(verdict.finalists, key=lambda one: one.gain).trial != 20
    assert verdict.recommended == 20
    assert "it costs 0.5x as much a question" in verdict.sentence
    unknown = ask([0.0, 0.2, 0.2, 0.2], seed=3, costs=[None] * 4)
    assert unknown.recommended == max(unknown.finalists, key=lambda one: one.gain).trial
    assert "cost" not in unknown.sentence


def test_a_small_gain_is_not_proven_and_says_what_would_settle_it():
    held = np.zeros((60, 2))
    held[:8, 1], held[8:14, 0] = 1.0, 1.0
    verdict = ask([0.0, 0.2], held=held)
    assert verdict.status == "NOT PROVEN"
    assert verdict.recommended == 0
    assert verdict.needed_questions > 60
    assert "trial 10 looks 3.3 points better, which 60 questions cannot tell" in verdict.sentence
    assert "unseen questions would settle it" in verdict.sentence
    assert verdict.detectable > verdict.leader.gain


def test_leaning_is_shown_and_taken_only_where_the_policy_says_so():
    held = np.zeros((60, 2))
    held[:9, 1], held[9:12, 0] = 1.0, 1.0
    proven, lean = (ask([0.0, 0.2], held=held, policy=policy) for policy in ("proven", "lean"))
    assert proven.status == lean.status == "LEANING"
    assert 0.05 <= proven.leader.p < 0.25
    assert (proven.recommended, lean.recommended) == (0, 10)
    assert "keep the configuration as it stands" in proven.sentence
    assert "recommended" in lean.sentence


def test_worse_is_said():
    held = np.zeros((60, 2))
    held[:20, 0] = 1.0
    verdict = ask([0.0, 0.2], held=held)
    assert verdict.status == "WORSE"
    assert verdict.recommended == 0
    assert verdict.leader.high < 0
    assert verdict.sentence.startswith("WORSE: keep the configuration as it stands")
    assert "p = " not in verdict.sentence, "it would be of the other side"


def test_cheaper_and_not_worse_is_offered():
    held = np.zeros((400, 2))
    held[:100] = 1.0
    held[0, 0] = 0.0
    held[1:3, 1] = 0.0
    verdicts = [
        ask([0.0, 0.2], held=held, costs=[1.0, 0.4], policy=policy) for policy in ("proven", "lean")
    ]
    for verdict in verdicts:
        assert verdict.status == "NOT PROVEN"
        assert verdict.leader.not_worse
        assert "not worse by more than 3 points either, and it costs 0.4x" in verdict.sentence
    assert [verdict.recommended for verdict in verdicts] == [0, 10]
    dearer = ask([0.0, 0.2], held=held, costs=[1.0, 1.4])
    strict = ask([0.0, 0.2], held=held, costs=[1.0, 0.4], margin=0.001)
    assert not dearer.leader.not_worse
    assert not strict.leader.not_worse


def test_every_look_halves_the_threshold():
    assert [alpha_of(looks) for looks in (0, 1, 2, 3)] == [0.05, 0.05, 0.025, 0.0125]
    held = np.zeros((60, 2))
    held[:12, 1], held[12:15, 0] = 1.0, 1.0
    first, second = (
        ask([0.0, 0.2], held=held, looks=looks, alpha=alpha_of(looks)) for looks in (1, 2)
    )
    assert (first.status, second.status) == ("PROVEN", "LEANING")
    assert second.leader.low < first.leader.low
    assert "looked at 2 times, so the bar was p < 0.025" in second.sentence
    assert "97.5 % interval" in second.sentence


def test_lower_is_better_is_told_as_lower():
    rng = np.random.default_rng(0)
    seconds = 3.0 + rng.exponential(1.0, (200, 3)) - np.array([0.0, 1.5, 0.0])
    finalists = choose_finalists(-seconds[:80], 0)
    columns = [0, *(column for column, _ in finalists)]
    verdict = decide(
        "latency", -seconds[:80], [0, 1, 2], 0, finalists, -seconds[80:][:, columns],
        maximise=False,
    )  # fmt: skip
    assert (verdict.status, verdict.recommended, verdict.points) == ("PROVEN", 1, False)
    assert "latency lower by 1." in verdict.sentence
    assert "points" not in verdict.sentence


# ---- what cannot be compared


def test_nothing_stands():
    verdict = decide(METRIC, np.eye(30), range(30), None, [], None)
    assert (verdict.status, verdict.recommended) == ("NONE", None)
    assert "no trial of the configuration as it stands" in verdict.sentence


def test_too_few_held_out_questions_give_the_corrected_gain_only():
    for held, said in ((None, "no questions were held out"), (np.eye(19, 2), "19 held-out")):
        search = scores(np.random.default_rng(1), [0.0, 0.2, 0.1], 16)
        finalists = choose_finalists(search, 0)[:1]
        verdict = decide(METRIC, search, [0, 1, 2], 0, finalists, held)
        assert (verdict.status, verdict.recommended) == ("NONE", 0)
        assert said in verdict.reason
        assert "at least 20" in verdict.reason
        assert verdict.raw_gain > verdict.corrected_gain
        assert "luck of the choice is taken out" in verdict.sentence


def test_a_metric_that_tells_nothing_is_named():
    constant = ask([0.0] * 3, search=np.full((40, 3), 0.5), held=np.full((60, 1), 0.5))
    assert "is the same for every configuration and question" in constant.reason
    equal = np.repeat(np.random.default_rng(0).random((40, 1)), 3, axis=1)
    verdict = ask([0.0] * 3, search=equal, held=np.full((60, 1), 0.5))
    assert verdict.status == constant.status == "NONE"
    assert "nothing that was varied makes a difference" in verdict.reason


def test_a_saturated_metric_and_finalists_that_do_not_differ_are_named():
    full = np.ones((60, 2))
    full[0, 1] = 0.0
    saturated = ask([0.0, 0.2], held=full)
    assert saturated.status == "NOT PROVEN"
    assert "it already has the best possible recall" in saturated.sentence
    twins = np.repeat(np.random.default_rng(0).integers(0, 2, (60, 1)), 2, axis=1)
    verdict = ask([0.0, 0.2], held=twins)
    assert verdict.status == "NOT PROVEN"
    assert "no finalist differs from it in recall on any of 60 held-out questions" in verdict.reason


def test_questions_without_a_value_are_left_out_for_all_and_counted():
    rng = np.random.default_rng(0)
    held = scores(rng, [0.0, 0.2], 60)
    holes = np.vstack([held, [[math.nan, 1.0], [1.0, math.nan]]])
    options = {"held_groups": [f"d{row}" for row in range(62)]}
    verdict = ask([0.0, 0.2], held=holes, **options)
    whole = ask([0.0, 0.2], held=held)
    assert verdict.questions.held_out == 60
    assert verdict.questions.left_out == 2
    assert verdict.leader == whole.leader
    assert "2 questions were left out" in verdict.sentence
    assert "left out" not in whole.sentence


def test_groups_are_counted_and_make_the_verdict_more_careful():
    held = np.zeros((100, 2))
    held[:16, 1], held[16:20, 0] = 1.0, 1.0
    single = ask([0.0, 0.2], held=held)
    grouped = ask([0.0, 0.2], held=held, held_groups=[f"d{row // 5}" for row in range(100)])
    assert (single.questions.groups, grouped.questions.groups) == (100, 20)
    assert single.status == "PROVEN"
    assert grouped.leader.p > single.leader.p
    assert grouped.leader.low < single.leader.low


@settings(max_examples=40, deadline=None)
@given(
    st.integers(20, 45), st.integers(1, 4), st.integers(0, 10_000), st.booleans(), st.booleans()
)  # fmt: skip
def test_every_verdict_is_json_and_a_sentence_whatever_the_scores(
    questions, columns, seed, binary, maximise
):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 2 if binary else 9, (questions + 15, columns)).astype(float)
    table *= 1.0 if maximise else -1.0
    costs = [None if rng.random() < 0.2 else float(rng.random()) for _ in range(columns)]
    finalists = choose_finalists(table[:15], 0, costs)
    columns_held = [0, *(column for column, _ in finalists)]
    held = table[15:][:, columns_held]
    verdict = decide(
        METRIC, table[:15], range(columns), 0, finalists, held, costs=costs, maximise=maximise,
        resamples=199,
    )  # fmt: skip
    told = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert told["sentence"] == verdict.sentence
    assert told["sentence"].endswith(".")
    assert "nan" not in told["sentence"]
    assert told["recommended"] in range(columns)
    assert told["raw_gain"] >= 0
    assert (told["status"] == "PROVEN") == any(one["p"] < 0.05 for one in told["finalists"])
    order = rng.permutation(questions)
    again = decide(
        METRIC, table[:15], range(columns), 0, finalists, held[order], costs=costs,
        maximise=maximise, resamples=199,
    )  # fmt: skip
    assert again.sentence == verdict.sentence


def test_the_same_seed_gives_the_same_verdict():
    assert ask([0.0, 0.05, 0.04]) == ask([0.0, 0.05, 0.04])


# ---- before a run


def test_the_outlook_says_what_can_be_proven():
    enough, few, none = foresee(200, 120), foresee(50, 30), foresee(30, 18)
    assert "13 points of a yes-or-no metric, or 8 of a graded one" in enough.sentence
    assert enough.warning == enough.error == ""
    assert "30 held-out questions" in few.warning
    assert "at least 20" in none.error
    assert few.error == none.warning == ""


# ---- few documents


def by_document(documents, alpha=0.05, looks=1):
    """Twenty-four questions on which the challenger is right, and what stands is wrong."""
    held = np.column_stack([np.zeros(24), np.ones(24)])
    owners = [str(question % documents) for question in range(24)]
    search = np.column_stack([np.zeros(16), np.ones(16)])
    return decide(
        METRIC, search, [0, 1], 0, [(1, "best")], held,
        held_groups=owners, alpha=alpha_of(looks, alpha), looks=looks,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("documents", "alpha", "looks", "needed"),
    [(1, 0.05, 1, 6), (4, 0.05, 1, 6), (5, 0.05, 1, 6), (6, 0.05, 2, 7), (6, 0.01, 1, 8)],
)
def test_too_few_documents_prove_nothing_and_the_verdict_says_so(documents, alpha, looks, needed):
    verdict = by_document(documents, alpha, looks)
    assert verdict.status in {"LEANING", "NOT PROVEN"}
    assert (verdict.needed_groups, verdict.needed_questions) == (needed, None)
    assert verdict.detectable is None
    word = "1 document," if documents == 1 else f"{documents} documents,"
    assert f"the questions come from {word} and fewer than {needed} prove" in verdict.sentence
    assert "unseen questions would settle it" not in verdict.sentence
    assert "inf" not in verdict.sentence
    assert foresee(40, 24, alpha_of(looks, alpha), documents).error.startswith(
        f"the 24 held-out questions come from {word[:-1]}"
    )


def test_enough_documents_prove_it():
    verdict = by_document(6)
    assert verdict.status == "PROVEN"
    assert verdict.needed_groups is None
    assert foresee(40, 24, 0.05, 6) == foresee(40, 24)


# ---- shares and amounts


@pytest.mark.parametrize(
    ("low", "high", "maximise", "points"),
    [(0.0, 1.0, True, True), (0.2, 0.4, True, True), (0.0, 1.0, False, False),
     (0.001, 0.004, True, False), (0.5, 1.5, True, False)],
)  # fmt: skip
def test_points_are_for_shares_and_amounts_are_told_as_they_are(low, high, maximise, points):
    held = np.column_stack([np.full(40, low), np.linspace(low, high, 40)])
    held = held if maximise else -held[:, ::-1]
    for search in (held[:20], np.empty((0, 2))):  # none where two runs are compared
        verdict = decide("m", search, [0, 1], 0, [(1, "best")], held, maximise=maximise)
        assert verdict.status == "PROVEN"
        assert verdict.points is points
        assert ("points" in verdict.sentence) is points
