"""Routers: by words and by vectors of the real model, ties in order, bad input explained."""

import pytest

from pipelines.embedders import MiniLM
from pipelines.routing import Desk, Embedding, Keyword, Llm, Router
from raytuner.component import ConfigError, digest
from raytuner.objective import Tally

OPTIONS = {
    "numpy": ("arrays, dtypes and broadcasting", "linear algebra and random numbers"),
    "pandas": ("data frames, series and their index", "grouping, joining and reading tables"),
}


def desk(said=None, asked=None):
    def embed(embedder, texts, query):
        return embedder.embed(texts, query=query, meter=Tally()).vectors

    def ask(prompt, schema):
        if asked is not None:
            asked.append((prompt, schema))
        return said

    return Desk(embed, ask)


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Which dtype does the array get?", "numpy"),
        ("How do I join two tables on their index?", "pandas"),
        ("Who is Ada?", "numpy"),  # nothing shared: the first
        ("random series", "numpy"),
        ("random series of frames", "pandas"),
    ],
)
def test_words_that_are_shared_decide(text, route):
    assert Keyword().route(text, OPTIONS, desk()) == route


def test_a_word_that_all_have_tells_nothing_apart():
    options = {"a": ("value red",), "b": ("value blue",)}
    assert Keyword().route("value blue", options, desk()) == "b"
    assert Keyword().route("value value", options, desk()) == "a"


@pytest.mark.parametrize("nearest", ["mean", "best"])
def test_vectors_find_what_words_do_not(nearest):
    text = "How can I merge spreadsheets by a common column?"
    assert Embedding(nearest=nearest).route(text, OPTIONS, desk()) == "pandas"
    text = "What is the determinant of a matrix?"
    assert Embedding(nearest=nearest).route(text, OPTIONS, desk()) == "numpy"


def test_a_model_is_asked_for_a_name_and_nonsense_leaves_the_first():
    asked = []
    assert Llm().route("Why?", OPTIONS, desk({"route": "pandas"}, asked)) == "pandas"
    prompt, schema = asked[0]
    assert "- numpy: arrays, dtypes and broadcasting; linear algebra" in prompt
    assert prompt.index("Question: Why?") > 0
    assert schema["properties"]["route"]["enum"] == ["numpy", "pandas"]
    assert Llm().route("Why?", OPTIONS, desk(None)) == "numpy"


def test_keys_cover_what_decides():
    routers = [
        Keyword(), Keyword(stemmer="none"), Keyword(stopwords="none"), Embedding(),
        Embedding(nearest="best"), Embedding(embedder=MiniLM(query_prefix="q: "))
        if "query_prefix" in MiniLM.model_fields else Embedding(embedder="openai"),
        Llm(), Llm(prompt="{question} {options}"),
    ]  # fmt: skip
    assert len({digest(one) for one in routers}) == len(routers)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("keywords", "no Router of kind 'keywords'.*Did you mean 'keyword'"),
        ({"kind": "llm", "prompt": "{quest}"}, "nothing fills {quest}"),
        ({"kind": "embedding", "embedder": "lsa"}, "fitted on a corpus"),
        ({"kind": "keyword", "model": "x"}, "has no field 'model'"),
    ],
)
def test_what_cannot_be_is_explained(given, said):
    with pytest.raises((ConfigError, ValueError), match=said):
        Router.model_validate(given)
