import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.llm.templates import check_template, fill, template_fields
from raytuner.component import ConfigError

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
plain = st.text(st.characters(exclude_characters="{}"), max_size=8)
anything = st.text(max_size=20) | st.sampled_from(["{question}", "}}", "{{", "{", "{{a}}"])


def doubled(text):
    return text.replace("{", "{{").replace("}", "}}")


@given(st.lists(st.tuples(anything, names), max_size=5), anything, st.data())
def test_what_is_filled_in_is_never_read_again(parts, end, data):
    """Whatever the values hold, they stand in the text as they are, between the literal parts."""
    values = {name: data.draw(anything, label=name) for _, name in parts}
    template = "".join(f"{doubled(text)}{{{name}}}" for text, name in parts) + doubled(end)
    assert fill(template, values) == "".join(t + values[name] for t, name in parts) + end


@given(st.lists(names, max_size=6))
def test_every_field_is_listed_once_in_order(fields):
    template = " ".join(f"{{{name}}}" for name in fields)
    assert template_fields(template) == tuple(dict.fromkeys(fields))


@given(anything)
def test_a_text_with_doubled_braces_has_no_fields(text):
    assert template_fields(doubled(text)) == ()
    assert fill(doubled(text), {}) == text


@pytest.mark.parametrize(
    ("template", "token"),
    [("{", "'{'"), ("a } b", "'}'"), ("{question", "'{'"), ("{a}}", "'}'"), ("{}", "'{}'"),
     ("{0}", "'{0}'"), ("{a.b}", "'{a.b}'"), ("{a!r}", "'{a!r}'"), ("{a:>9}", "'{a:>9}'"),
     ('{"json": 1}', "json"), ("{a b}", "'{a b}'")],
)  # fmt: skip
def test_other_braces_are_refused_with_a_remedy(template, token):
    with pytest.raises(ConfigError, match="double a brace") as caught:
        template_fields(template)
    assert token in str(caught.value)


def test_a_field_that_nothing_fills_names_those_there_are():
    with pytest.raises(ConfigError, match=r"\{contxt\}.*\{question\}, \{context\}.*'context'"):
        check_template("{question} {contxt}", ("question", "context"))
    with pytest.raises(ConfigError, match="nothing fills"):
        fill("{question}", {"context": "x"})


def test_values_that_no_field_asks_for_are_left_out():
    assert fill("{a}", {"a": "1", "b": "2"}) == "1"
