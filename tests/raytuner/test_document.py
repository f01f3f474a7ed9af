"""YAML 1.2, and errors that say where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from raytuner.component import ConfigError
from raytuner.document import located, read_yaml


def parse(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E5", 1e5), ("1.5", 1.5), ("-2", -2), (".5", 0.5), ("0o10", 8),
        ("0x1F", 31), ("010", 10), ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"),
        ("y", "y"), ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("'1'", "1"), ("1:30", "1:30"), ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"), ("&a true", True), ("&a 1", 1),
        ("&a 1.5", 1.5), ("|-\n  two\n  lines", "two\nlines"), (">-\n  one\n  line", "one line"),
        ("1.10", 1.1), ("[1, [a, {b: 2}]]", [1, ["a", {"b": 2}]]), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars_are_yaml_1_2(tmp_path, text, value):
    found = parse(tmp_path, f"a: {text}\n").data["a"]
    assert found == value
    assert type(found) is type(value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text("abc é:#'\"\n-", max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner,
                                                               max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), PLAIN, min_size=1, max_size=4))
def test_what_is_written_is_read(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("yaml") / "study.yaml"
    with path.open("w", encoding="utf-8") as file:
        writer = YAML(typ="safe", pure=True)
        writer.default_flow_style = False  # in flow style it writes `{a: : b}`, which nobody reads
        writer.dump(data, file)
    found = read_yaml(path).data
    assert found == data
    assert plain_types(found)


def plain_types(value):
    if isinstance(value, dict):
        return type(value) is dict and all(plain_types(item) for item in value.values())
    if isinstance(value, list):
        return type(value) is list and all(plain_types(item) for item in value)
    return type(value) in {bool, int, float, str, type(None)}


def test_anchors_and_merges(tmp_path):
    text = "base: &base\n  x: 1\n  y: 2\nmore:\n  <<: *base\n  y: 3\nsame: *base\n"
    assert parse(tmp_path, text).data == {
        "base": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3}, "same": {"x": 1, "y": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\n", r"study\.yaml, line 3: not valid YAML: "),
        ("a: 1\n\tb: 2\n", r"study\.yaml, line 2: not valid YAML: "),
        ("a: 1\nb: 2\na: 3\n", r'study\.yaml, line 3: not valid YAML: found duplicate key "a"'),
        ("x:\n  a: 1\n  a: 2\n", r"line 3: not valid YAML: found duplicate key"),
        ("a: b: c\n", r"line 1: not valid YAML"),
        ("a: *nowhere\n", r"line 1: not valid YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", r"line 2: not valid YAML"),
        ("a: \x00\n", r"study\.yaml: not valid YAML: "),
        (b"a: caf\xe9\n", r"study\.yaml: not UTF-8 at byte 6; save it as UTF-8"),
        ("- a\n- b\n", r"expected fields such as `name: demo`, got a list"),
        ("just words\n", r"expected fields .* got 'just words'"),
        ("", r"study\.yaml is empty"),
        ("# only a comment\n", r"study\.yaml is empty"),
        ("a: " + "[" * 1500 + "]" * 1500, r"study\.yaml: nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_place(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file; `raytuner init`"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder; name the study file in it"):
        read_yaml(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be read: Not a directory"):
        read_yaml(tmp_path / "file/study.yaml")


def test_byte_order_marks_and_windows_lines(tmp_path):
    assert parse(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: x\r\n").data == {"a": 1, "b": "x"}


def test_tags_make_no_objects(tmp_path):
    data = parse(tmp_path, "a: !!python/object/apply:os.system ['true']\nb: !thing {c: 1}\n").data
    assert data == {"a": ["true"], "b": {"c": 1}}
    assert plain_types(data)


TEXT = """\
name: demo
space:
  chunker.size: [1, 2]

  top_k:
    int: [1,
          5]
budget: {trials: 3, seconds: 5}
"""


@pytest.mark.parametrize(
    ("field", "line"),
    [
        (("name",), 1), (("space",), 2), (("space", "chunker.size"), 3), (("space", "top_k"), 5),
        (("space", "top_k", "int"), 6), (("space", "top_k", "int", 1), 7),
        (("budget", "seconds"), 8),
        (("space", "top_k", "nothing", "below"), 5), (("nothing",), None), ((), None),
    ],
)  # fmt: skip
def test_lines_of_fields(tmp_path, field, line):
    document = parse(tmp_path, TEXT)
    assert document.line(field) == line
    with pytest.raises(ConfigError) as caught, located(document):
        raise ConfigError("it is wrong", field)
    if not field:
        assert str(caught.value) == "it is wrong"
    elif line:
        assert str(caught.value) == f"{document.path}, line {line}: it is wrong"
    else:
        assert str(caught.value) == f"{document.path}: it is wrong"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n"
         + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 8)),
         "more than 100,000 fields"),
        ("seed: " + "9" * 5000, "cannot be read"),
        ('name: "\\ud83d"', "cannot be read"),
    ],
    ids=["alias bomb", "endless number", "half a surrogate pair"],
)  # fmt: skip
def test_hostile_yaml_is_one_sentence(tmp_path, text, reason):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_yaml(path)
