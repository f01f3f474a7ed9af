"""The cache of stage outputs: built once, told apart, explained."""

import json
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipelines.cache import Cache, default_cache_dir
from raytuner.component import ConfigError, digest
from raytuner.objective import Tally

KEY = "0123456789abcdef" * 2


def numbers(build_count=None):
    if build_count is not None:
        build_count.append(1)
    return {"ids": np.arange(6).reshape(2, 3), "scores": np.linspace(0, 1, 6)}


def stored_files(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def entry(root, key=KEY):
    return root / "artifacts" / key[:2] / key


@pytest.mark.parametrize("on_disk", [True, False])
def test_builds_once_and_gives_the_same_object(root, on_disk):
    cache, meter, built = Cache(root if on_disk else None), Tally(), []
    first = cache.arrays("hits", KEY, {"depth": 3}, lambda: numbers(built), meter)
    second = cache.arrays("hits", KEY, {"depth": 3}, lambda: numbers(built), meter)
    assert first is second
    assert len(built) == 1
    assert meter.counts == {"hits built": 1, "hits reused": 1}
    np.testing.assert_array_equal(first["ids"], [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match="read-only"):
        first["ids"][0, 0] = 9


def test_another_process_would_find_it_mapped_from_disk(root):
    Cache(root).arrays("hits", KEY, {}, numbers)
    meter = Tally()
    found = Cache(root).arrays("hits", KEY, {}, lambda: pytest.fail("built again"), meter)
    assert meter.counts == {"hits reused": 1}
    assert isinstance(found["scores"].base, np.memmap)
    assert type(found["scores"]) is np.ndarray


@pytest.mark.parametrize("on_disk", [True, False])
def test_texts_come_back_exactly(root, on_disk):
    texts = ["", "a\r\nb\x00c", "\ud83d\ude00 \U0001f600", "\ud800", '["x"]', "é"]
    cache = Cache(root if on_disk else None)
    assert cache.texts("answers", KEY, {}, lambda: list(texts)) == texts
    again = (Cache(root) if on_disk else cache).texts("answers", KEY, {}, lambda: ["wrong"])
    assert again == texts
    again.append("mine")
    assert cache.texts("answers", KEY, {}, lambda: ["wrong"]) == texts


def test_errors_of_a_build_are_raised_and_not_cached(root):
    cache = Cache(root)

    def fail():
        raise ZeroDivisionError("no luck")

    with pytest.raises(ZeroDivisionError, match="no luck"):
        cache.arrays("hits", KEY, {}, fail)
    assert not entry(root).exists()
    assert len(cache.arrays("hits", KEY, {}, numbers)) == 2


def test_a_key_belongs_to_one_stage_and_form(root):
    for cache in (Cache(root), Cache(root)):  # from memory, and from disk
        cache.arrays("hits", KEY, {}, numbers)
        with pytest.raises(ValueError, match="belongs to arrays of stage 'hits'"):
            cache.arrays("chunks", KEY, {}, numbers)
        with pytest.raises(ValueError, match="asked for as texts"):
            cache.texts("hits", KEY, {}, list)


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", KEY[:-1], KEY + "0", KEY.upper(), "g" * 32, KEY[:-1] + "\n"]
)
def test_keys_that_could_leave_the_root_are_refused(root, key):
    with pytest.raises(ValueError, match="no artifact key"):
        Cache(root).arrays("hits", key, {}, numbers)
    assert not root.exists() or stored_files(root) == []


@pytest.mark.parametrize("arrays", [{"../x": np.zeros(1)}, {"x": np.array([{}], dtype=object)}])
@pytest.mark.parametrize("on_disk", [True, False])
def test_what_no_file_can_hold_is_refused_everywhere(root, on_disk, arrays):
    with pytest.raises(ValueError, match="stage 'hits'"):
        Cache(root if on_disk else None).arrays("hits", KEY, {}, lambda: arrays)


def test_a_stage_that_needs_itself_is_named_instead_of_waiting_forever(root):
    cache = Cache(root)

    def circle():
        return cache.arrays("hits", KEY, {}, numbers)

    with pytest.raises(RuntimeError, match="circle"):
        cache.arrays("hits", KEY, {}, circle)


def test_a_stage_may_build_what_it_needs(root):
    cache, meter = Cache(root), Tally()

    def outer():
        inner = cache.arrays("chunks", digest("inner"), {}, numbers, meter)
        return {"sum": inner["ids"].sum(keepdims=True)}

    assert cache.arrays("hits", KEY, {}, outer, meter)["sum"] == [[15]]
    assert meter.counts == {"chunks built": 1, "hits built": 1}


def test_handed_over_arrays_cannot_be_changed_behind_the_cache():
    owned, whole = np.zeros(3), np.zeros(10)
    cache = Cache(None)
    found = cache.arrays("hits", KEY, {}, lambda: {"owned": owned, "part": whole[:5]})
    with pytest.raises(ValueError, match="read-only"):
        owned[0] = 1
    whole[:] = 1
    assert not found["part"].any()


def test_memory_is_bounded_and_least_recently_used_leaves_first():
    keys = [digest(number) for number in range(4)]
    cache, built = Cache(None, memory_bytes=2400), []

    def ask(number):
        def build():
            built.append(number)
            return {"x": np.full(100, number, np.float64)}  # 800 bytes

        return cache.arrays("hits", keys[number], {}, build)

    for number in (0, 1, 2, 0, 3, 0, 2, 1):
        assert ask(number)["x"][0] == number
    assert built == [0, 1, 2, 3, 1]


def test_what_is_in_use_is_found_even_after_it_left_memory():
    cache = Cache(None, memory_bytes=0)
    held = cache.arrays("hits", KEY, {}, numbers)
    assert cache.arrays("hits", KEY, {}, lambda: pytest.fail("built again")) is held


def test_threads_build_once(root):
    for cache in (Cache(None), Cache(root)):
        built, gate = [], threading.Barrier(8)

        def ask(cache=cache, built=built, gate=gate):
            gate.wait()
            return cache.arrays("hits", KEY, {}, lambda: numbers(built))

        with ThreadPoolExecutor(8) as pool:
            found = [task.result() for task in [pool.submit(ask) for _ in range(8)]]
        assert len(built) == 1
        assert all(one is found[0] for one in found)


def test_processes_build_once(root, start, finish):
    script = """
        meter = Tally()
        trace("ready", "ready")
        wait_for("go")
        def build():
            trace("built")
            time.sleep(0.3)
            return {"x": np.arange(1000)}
        found = Cache(root).arrays("hits", KEY, {}, build, meter)
        print(int(found["x"].sum()), *meter.counts)
    """
    processes = [start(script) for _ in range(4)]
    (root.parent / "go").touch()
    printed = finish(*processes)
    assert (root.parent / "trace").read_text() == "built\n"
    assert sorted(printed) == ["499500 hits built"] + ["499500 hits reused"] * 3


def test_when_a_builder_is_killed_the_next_one_builds(root, start, finish, until):
    script = """
        def build():
            trace(str(os.getpid()))
            if not (root.parent / "go").exists():
                time.sleep(60)
            return {"x": np.arange(10)}
        print(Cache(root).arrays("hits", KEY, {}, build)["x"].sum())
    """
    first = start(script)
    trace = root.parent / "trace"
    until(trace.exists)
    second = start(script)
    (root.parent / "go").touch()
    with pytest.raises(Exception, match="timed out"):
        second.wait(1.5)  # the first one holds the lock
    os.kill(first.pid, signal.SIGKILL)
    assert finish(second) == ["45"]
    assert trace.read_text().split() == [str(first.pid), str(second.pid)]


def test_a_builder_killed_while_writing_leaves_no_entry(root, start, until):
    process = start("""
        from pipelines.cache import disk
        def stop(folder):
            trace("written")
            time.sleep(60)
        disk._sync_folder = stop  # everything is written, nothing is renamed yet
        Cache(root).arrays("hits", KEY, {}, lambda: {"x": np.arange(10)})
    """)
    until((root.parent / "trace").exists)
    process.kill()
    process.wait()
    assert not entry(root).exists()
    assert len(list((root / "tmp").iterdir())) == 1
    np.testing.assert_array_equal(
        Cache(root).arrays("hits", KEY, {}, lambda: {"x": np.arange(3)})["x"], [0, 1, 2]
    )
    assert list((root / "tmp").iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_children_do_not_wait_for_threads_they_do_not_have(root):
    cache, release, inside = Cache(root), threading.Event(), threading.Event()

    def build():
        inside.set()
        release.wait()
        return numbers()

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(cache.arrays, "hits", KEY, {}, build)
        inside.wait()
        context = multiprocessing.get_context("fork")
        other = digest("other")
        child = context.Process(target=cache.arrays, args=("hits", other, {}, numbers))
        child.start()
        child.join(30)
        release.set()
        task.result()
    assert child.exitcode == 0
    assert entry(root, other).exists()


def test_explains_an_entry_by_the_beginning_of_its_key(root):
    inputs = {"chunker": {"kind": "sentence", "size": 64}, "nan": float("nan"), "odd": {1, 2}}
    cache, other = Cache(root), "0123" + KEY[4:][::-1]
    cache.arrays("hits", KEY, inputs, numbers)
    cache.texts("answers", other, {}, lambda: ["x"])
    found = cache.explain(KEY[:6])
    assert (found.stage, found.key, found.form) == ("hits", KEY, "arrays")
    assert found.inputs["chunker"] == {"kind": "sentence", "size": 64}
    assert found.bytes == sum(
        path.stat().st_size for path in entry(root).iterdir() if path.suffix == ".npy"
    )
    json.dumps(found.model_dump(), allow_nan=False)
    for prefix, reason in (("0123", "2 cache entries"), ("ff", "no cache entry"), ("../", "no c")):
        with pytest.raises(ConfigError, match=reason):
            cache.explain(prefix)
    with pytest.raises(ConfigError, match="memory only"):
        Cache(None).explain(KEY)


@pytest.mark.parametrize("on_disk", [True, False])
def test_places_are_folders_of_other_parts(root, on_disk):
    cache = Cache(root if on_disk else None)
    place = cache.place("stores")
    assert place.is_dir()
    assert place == cache.place("stores")
    assert place.is_relative_to(root) == on_disk
    for name in ("..", "a/b", "", "Upper"):
        with pytest.raises(ValueError, match="lower-case"):
            cache.place(name)
    del cache
    assert place.exists() == on_disk


def test_the_default_directory_can_be_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAYTUNER_CACHE", raising=False)
    assert default_cache_dir() == tmp_path / ".cache" / "raytuner"
    monkeypatch.setenv("RAYTUNER_CACHE", "~/elsewhere")
    assert default_cache_dir() == tmp_path / "elsewhere"
