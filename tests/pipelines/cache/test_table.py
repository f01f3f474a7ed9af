"""Vector files: damage is noticed, repaired without losing good rows, and never an error."""

import os
import sqlite3
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.cache.flight import Flight
from pipelines.cache.table import StoredVector, VectorTable, count_rows, empty_table

ROWS = {
    bytes([n % 256, n // 256]) * 16: StoredVector(struct.pack("<32f", *range(n, n + 32)), n)
    for n in range(600)
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors" / "model.sqlite"


@pytest.fixture
def table(path):
    return VectorTable(path, "model", Flight(path.parent / "locks"))


def test_rows_come_back_and_unknown_keys_do_not(table, path):
    assert table.lookup(ROWS) == {}
    assert not path.exists()
    table.add(ROWS)
    assert table.lookup(ROWS) == ROWS
    assert table.lookup([b"x" * 32]) == {}
    assert count_rows(path) == ("model", 600)


def test_the_first_writer_wins(table):
    key = next(iter(ROWS))
    table.add(ROWS)
    table.add({key: StoredVector(b"other", 9)})
    assert table.lookup([key]) == {key: ROWS[key]}


@pytest.mark.parametrize(
    "change",
    [
        "e = x'07' || substr(e, 2)",
        "e = substr(e, 1, 64)",
        "cut = cut + 1",
        "crc = crc + 1",
        "e = CAST(x'ff80' AS TEXT)",
        "e = 1.5",
        "cut = 'x'",
    ],
)
def test_a_damaged_row_is_as_good_as_missing_and_can_be_written_again(table, path, caplog, change):
    key = list(ROWS)[5]
    table.add(ROWS)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE vectors SET {change} WHERE k = ?", (key,))
    connection.close()
    assert table.lookup(ROWS) == {k: row for k, row in ROWS.items() if k != key}
    assert "1 damaged vectors" in caplog.text
    table.add({key: ROWS[key]})
    assert table.lookup(ROWS) == ROWS


def overwrite(path, start, data):
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


FILE_DAMAGE = {
    "no database": lambda path: path.write_bytes(b"not a database at all" * 1000),
    "empty": lambda path: path.write_bytes(b""),
    "short": lambda path: os.truncate(path, path.stat().st_size // 2 + 100),
    "schema": lambda path: overwrite(path, 100, b"\xff" * 64),
    "directory of pages": lambda path: overwrite(path, 8192 * 2, b"\xff" * 8192),
    "rows": lambda path: overwrite(path, 8192 * 8, b"\x55" * 8192),
    "all rows": lambda path: overwrite(path, 8192 * 2, b"\x55" * (path.stat().st_size - 8192 * 2)),
}


@pytest.mark.parametrize("damage", FILE_DAMAGE)
def test_a_damaged_file_is_put_aside_and_started_anew(table, path, caplog, damage):
    table.add(ROWS)
    FILE_DAMAGE[damage](path)
    found = table.lookup(ROWS)
    assert found.items() <= ROWS.items()
    missing = {key: row for key, row in ROWS.items() if key not in found}
    assert missing
    table.add(missing)
    again = VectorTable(path, "model", Flight(None))
    assert again.lookup(ROWS) == ROWS
    assert sum("damaged and started anew" in r.getMessage() for r in caplog.records) == 1
    assert "going on in memory" not in caplog.text
    assert path.with_suffix(".damaged").exists()


def test_good_rows_of_a_damaged_file_are_kept(table, path):
    table.add(ROWS)
    pages = path.stat().st_size // 8192
    overwrite(path, 8192 * (pages - 2), b"\x55" * 8192)
    assert len(table.lookup(ROWS)) < 600
    assert len(table.lookup(ROWS)) > 200


def test_a_file_of_another_model_is_not_used(table, path, caplog):
    VectorTable(path, "somebody else", Flight(None)).add(ROWS)
    assert table.lookup(ROWS) == {}
    table.add(ROWS)
    assert table.lookup(ROWS) == ROWS
    assert "something else" in caplog.text


def test_a_foreign_database_is_not_used(table, path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE vectors (a, b)")
    connection.close()
    table.add(ROWS)
    assert table.lookup(ROWS) == ROWS


def test_what_cannot_be_written_is_kept_in_memory(tmp_path, caplog):
    (tmp_path / "vectors").touch()  # a file where the folder should be
    table = VectorTable(tmp_path / "vectors" / "model.sqlite", "model", Flight(None))
    table.add(ROWS)
    table.add(ROWS)
    assert table.lookup(ROWS) == ROWS
    assert caplog.text.count("going on in memory") == 1


def test_a_write_without_space_is_kept_in_memory(root, start, finish):
    """The file size limit fails a write as a full disk does."""
    printed = finish(
        start("""
        import resource, signal
        from pipelines.cache.flight import Flight
        from pipelines.cache.table import StoredVector, VectorTable
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        table = VectorTable(root / "model.sqlite", "model", Flight(None))
        first = {bytes([n]) * 32: StoredVector(bytes(400), 0) for n in range(20)}
        table.add(first)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
        more = {bytes([n]) * 32: StoredVector(bytes(4000), 0) for n in range(20, 60)}
        table.add(more)
        assert table.lookup([*first, *more]) == first | more
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert VectorTable(root / "model.sqlite", "model", Flight(None)).lookup(first) == first
    """)
    )
    assert printed[0].count("going on in memory") == 1


def test_many_writers_and_readers_at_once(path):
    tables = [VectorTable(path, "model", Flight(path.parent / "locks")) for _ in range(6)]
    keys = list(ROWS)

    def work(number):
        for start in range(0, 600, 60):
            part = keys[(start + number * 100) % 600 :][:60]
            tables[number].add({key: ROWS[key] for key in part})
            assert set(tables[number].lookup(part)) == set(part)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert tables[0].lookup(ROWS) == ROWS


def test_emptying_gives_the_space_back_and_leaves_it_usable(table, path):
    table.add(ROWS)
    before = path.stat().st_size
    reader = sqlite3.connect(path)
    cursor = reader.execute("SELECT k FROM vectors")
    cursor.fetchone()
    empty_table(path)
    assert len(cursor.fetchall()) == 599  # a reader in the middle sees what it began with
    reader.close()
    empty_table(path)
    assert path.stat().st_size < before / 4
    assert table.lookup(ROWS) == {}
    table.add(ROWS)
    assert table.lookup(ROWS) == ROWS
