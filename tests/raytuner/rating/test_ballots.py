"""The file of a rater: it only grows, and whoever edits it is found out."""

import pytest

from raytuner.component import ConfigError
from raytuner.rating.ballots import Ballot, BallotBox, read_all


def ballot(unit, choice="left", rater="r1", left="k1", right="k2"):
    return Ballot(rater, unit, left, right, choice, ("d1", "d2"), "scope")


@pytest.fixture
def box(tmp_path):
    with BallotBox(tmp_path, "r1") as box:
        for number in range(4):
            box.add(ballot(f"q{number}"))
    return tmp_path


def test_what_was_kept_is_read_back_and_goes_on(box):
    with BallotBox(box, "r1") as again:
        assert [one.unit for one in again] == ["q0", "q1", "q2", "q3"]
        again.add(ballot("q4", "tie"))
    with BallotBox(box, "r2") as other:
        other.add(ballot("q0", "right", "r2"))
    assert [(b.rater, b.unit, b.outcome) for b in read_all(box)][-2:] == [
        ("r1", "q4", 0),
        ("r2", "q0", -1),
    ]


def test_outcomes_do_not_depend_on_sides():
    assert ballot("q", "left").outcome == 1
    assert ballot("q", "left", left="k2", right="k1").outcome == -1
    assert ballot("q", "right", left="k2", right="k1").outcome == 1
    assert ballot("q", "skip").outcome is None
    assert ballot("q", left="k2", right="k1").pair == ("k1", "k2")


def test_a_torn_last_line_is_dropped(box):
    path = box / "ratings/r1.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines(keepends=True)[-1][:50])
    assert len(read_all(box)) == 4
    with BallotBox(box, "r1") as again:
        again.add(ballot("q4"))
    assert [one.unit for one in read_all(box)] == ["q0", "q1", "q2", "q3", "q4"]


def edits():
    def choice(lines):
        lines[1] = lines[1].replace(b'"choice":"left"', b'"choice":"right"')

    def removed(lines):
        del lines[1]

    def swapped(lines):
        lines[1], lines[2] = lines[2], lines[1]

    def doubled(lines):
        lines.insert(1, lines[1])

    def garbage(lines):
        lines[1] = b"r1 likes the left one\n"

    def empty(lines):
        lines[1] = b"\n"

    return [choice, removed, swapped, doubled, garbage, empty]


@pytest.mark.parametrize("edit", edits(), ids=lambda edit: edit.__name__)
def test_an_edited_file_is_refused_by_name_and_line(box, edit):
    path = box / "ratings/r1.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    edit(lines)
    path.write_bytes(b"".join(lines))
    before = path.read_bytes()
    for attempt in (lambda: read_all(box), lambda: BallotBox(box, "r1")):
        with pytest.raises(ConfigError, match=r"ratings/r1\.jsonl, line [23]: .* by hand"):
            attempt()
    assert path.read_bytes() == before


def test_a_file_under_another_name_is_no_second_rater(box):
    (box / "ratings/r4.jsonl").write_bytes((box / "ratings/r1.jsonl").read_bytes())
    with pytest.raises(ConfigError, match=r"r4\.jsonl, line 1"):
        read_all(box)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "a b", "a\n"])
def test_names_are_names_of_files(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot name a file"):
        BallotBox(tmp_path, name)


def test_one_window_at_a_time(tmp_path):
    with BallotBox(tmp_path, "r1"), pytest.raises(ConfigError, match="in another window"):
        BallotBox(tmp_path, "r1")
    BallotBox(tmp_path, "r1").close()
