"""The journal: what is written comes back, whatever happens to the file or the disk."""

import json
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.journal import (
    SCHEMA,
    Journal,
    JournalError,
    decode,
    encode,
    read,
)
from tests.raytuner.journal_probes import CHECK, EVENTS


@CHECK
@given(EVENTS)
def test_events_come_back(events):
    for event in events:
        line = encode(event)
        assert line.count(b"\n") == 1
        assert decode(line) == event
        assert {k: v for k, v in json.loads(line).items() if k != "crc"} == event


@settings(max_examples=5, deadline=None)
@given(EVENTS)
def test_a_cut_at_any_byte_leaves_a_prefix(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    lines = [encode(event) for event in events]
    whole = b"".join(lines)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        found, good = read(path)
        assert found == events[: len(found)]
        assert good == sum(map(len, lines[: len(found)]))
        assert size - good < len(lines[len(found)]) if len(found) < len(lines) else True


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, data=st.data())
def test_a_changed_byte_is_named_by_its_line(tmp_path_factory, events, data):
    path = tmp_path_factory.mktemp("flip") / "journal.jsonl"
    lines = [encode(event) for event in events]
    whole = bytearray(b"".join(lines))
    at = data.draw(st.integers(0, len(whole) - 2))  # without the last line's end: that is a tear
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    line = bytes(whole[:at]).count(b"\n") + 1
    whole[at] = new
    path.write_bytes(whole)
    if bytes(whole).count(b"\n") < len(lines) and line == len(lines):
        assert read(path)[0] == events[:-1]
        return
    with pytest.raises(JournalError, match=rf"journal\.jsonl, line {line}: the checksum"):
        read(path)


def test_every_byte_of_the_frame_is_checked(tmp_path):
    line = encode({"event": "x"})
    for at in range(len(line) - 1):
        for new in (line[at] ^ 1, line[at] ^ 32):
            damaged = line[:at] + bytes([new]) + line[at + 1 :]
            with pytest.raises(ValueError, match=r"checksum|utf-8"):
                decode(damaged)


def test_append_is_on_disk_and_torn_tail_is_cut(tmp_path):
    first = Journal(tmp_path / "run", clock=lambda: 12.34567)
    first.append({"event": "a"}, {"event": "b"})
    assert read(first.path)[0] == [{"event": "a", "t": 12.346}, {"event": "b", "t": 12.346}]
    first.close()
    with first.path.open("ab") as file:
        file.write(encode({"event": "torn"})[:-3])
    assert len(read(first.path)[0]) == 2
    second = Journal(tmp_path / "run")
    assert [event["event"] for event in second] == ["a", "b"]
    second.append({"event": "c"})
    second.forget()
    assert list(second) == []
    second.close()
    assert [event["event"] for event in read(second.path)[0]] == ["a", "b", "c"]


def test_memory_journal_keeps_what_json_keeps():
    journal = Journal(None, clock=lambda: 1)
    journal.append({"event": "a", "pair": (1, 2)})
    assert list(journal) == [{"event": "a", "pair": [1, 2], "t": 1}]
    with pytest.raises(ValueError, match="memory"):
        _ = journal.path
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"x": float("nan")})
    journal.close()


def test_nan_never_reaches_the_file(tmp_path):
    journal = Journal(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"event": "a"}, {"x": float("nan")})
    assert journal.path.read_bytes() == b""
    journal.close()


def test_newer_schema_is_refused_older_and_unknown_facts_are_read(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(encode({"event": "opened", "schema": SCHEMA, "colour": "red"}))
    assert read(path)[0][0]["colour"] == "red"
    with path.open("ab") as file:
        file.write(encode({"event": "opened", "schema": SCHEMA + 1}))
    with pytest.raises(JournalError, match=r"line 2: written by a newer raytuner .* upgrade"):
        read(path)


@pytest.mark.parametrize("event", [{"n": 1}, {"event": None}, {"event": 3, "schema": "x"}])
def test_a_line_that_says_nothing_is_named(tmp_path, event):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(encode({"event": "opened"}) + encode(event))
    with pytest.raises(JournalError, match=r"line 2: it does not say what .* is damaged; restore"):
        read(path)


def test_events_that_open_a_session_know_their_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(encode({"event": kind}) for kind in ("a", "b", "opened", "c")))
    first, second, opened, last = read(path)[0]
    assert [type(event) for event in (second, last)] == [dict, dict]
    assert (first.path, first.line, opened.path, opened.line) == (path, 1, path, 3)


def test_closed_journal_and_missing_file(tmp_path):
    assert read(tmp_path / "none.jsonl") == ([], 0)
    journal = Journal(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.append({"event": "a"})


def test_damaged_journal_lets_the_lock_go(tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(b"{}\n" + encode({"event": "a"}))
    for _ in range(2):
        with pytest.raises(JournalError, match="line 1: the checksum does not fit"):
            Journal(tmp_path)


def test_second_writer_is_refused_in_this_process_and_in_another(tmp_path):
    journal = Journal(tmp_path)
    with pytest.raises(JournalError, match=rf"in use by process {os.getpid()} on .* since \d{{4}}"):
        Journal(tmp_path)
    code = (
        "import sys; from pathlib import Path; from raytuner.journal import Journal\n"
        "try: Journal(Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"in use by process {os.getpid()} on" in ran.stdout
    journal.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""
    Journal(tmp_path).close()


def test_reading_while_it_is_written(tmp_path):
    journal = Journal(tmp_path)
    sizes, done = [], threading.Event()

    def look():
        while not done.is_set():
            events, _ = read(journal.path)
            assert [event["n"] for event in events] == list(range(len(events)))
            sizes.append(len(events))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(300):
        journal.append({"event": "n", "n": number, "text": "x" * 500})
    done.set()
    thread.join()
    journal.close()
    assert sizes == sorted(sizes)
    assert len(read(journal.path)[0]) == 300


def test_appends_of_many_threads_do_not_mix(tmp_path):
    journal = Journal(tmp_path)
    threads = [
        threading.Thread(
            target=lambda n=n: [journal.append({"event": "n", "n": n}) for _ in range(20)]
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert sorted(event["n"] for event in read(journal.path)[0]) == sorted(list(range(8)) * 20)
