"""Prices: arithmetic, which one holds, and list prices that bound every bill."""

import importlib.util
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.llm import prices
from pipelines.llm.prices import FREE, Price, find_price, price_table_digest

OPENAI = "https://api.openai.com/v1"
PROVIDERS = {
    "openai": OPENAI,
    "anthropic": "https://api.anthropic.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "deepseek": "https://api.deepseek.com",
    "mistral": "https://api.mistral.ai/v1",
    "groq": "https://api.groq.com/openai/v1",
    "together": "https://api.together.xyz/v1",
    "moonshotai": "https://api.moonshot.ai/v1",
    "perplexity": "https://api.perplexity.ai",
}
installed = pytest.mark.skipif(
    importlib.util.find_spec("genai_prices") is None, reason="extra prices not installed"
)
rates = st.floats(0, 1000)
tokens = st.integers(0, 10**7)
any_price = st.builds(
    Price, input=rates, output=rates, cached_input=st.none() | rates, request=rates
)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    prices._list_price.cache_clear()
    yield
    prices._list_price.cache_clear()


def listed(model, url=OPENAI):
    return find_price(model, base_url=url, given=None)


# --- arithmetic


def test_a_call_costs_its_tokens_and_itself():
    price = Price(input=2, output=10, cached_input=0.5, request=0.01)
    assert price.cost(1_000_000, 100_000) == pytest.approx(2 + 1 + 0.01)
    assert price.cost(1_000_000, 0, cached=400_000) == pytest.approx(1.2 + 0.2 + 0.01)
    assert price.cost(0, 0) == 0.01


def test_cached_tokens_without_a_price_of_their_own_are_input():
    assert Price(input=3).cost(1000, 500, cached=900) == pytest.approx(0.003)


def test_no_more_tokens_are_cached_than_sent():
    price = Price(input=2, cached_input=1)
    assert price.cost(100, 0, cached=10**9) == pytest.approx(1e-4)
    assert price.cost(100, 0, cached=-5) == price.cost(100, 0)


@given(tokens, tokens, tokens)
def test_free_is_free(tokens_in, tokens_out, cached):
    assert FREE.cost(tokens_in, tokens_out, cached) == FREE.worst(tokens_in, tokens_out) == 0.0


@given(any_price, tokens, tokens, tokens)
def test_the_worst_bounds_every_cost(price, tokens_in, tokens_out, cached):
    assert 0 <= price.cost(tokens_in, tokens_out, cached) <= price.worst(tokens_in, tokens_out)


@given(any_price, tokens, tokens, tokens, tokens, tokens)
def test_more_tokens_never_cost_less(price, tokens_in, tokens_out, cached, more_in, more_out):
    cost = price.cost(tokens_in, tokens_out, cached)
    assert price.cost(tokens_in + more_in, tokens_out + more_out, cached) >= cost
    worst = price.worst(tokens_in, tokens_out)
    assert price.worst(tokens_in + more_in, tokens_out + more_out) >= worst


@pytest.mark.parametrize(
    "fields",
    [{}, {"input": -1}, {"input": float("nan")}, {"input": float("inf")}, {"output": 1},
     {"input": 1, "cached_input": -0.1}, {"input": 1, "request": -1}, {"input": 1, "ouput": 2}],
)  # fmt: skip
def test_senseless_prices_are_refused(fields):
    with pytest.raises(ValidationError):
        Price(**fields)


def test_prices_are_frozen():
    with pytest.raises(ValidationError):
        FREE.input = 1.0


# --- which price holds


@pytest.mark.parametrize("free", [True, False])
def test_the_studys_price_wins(free):
    given = Price(input=7, output=8)
    assert find_price("gpt-4o-mini", base_url=OPENAI, given=given, free=free) is given


def test_free_models_are_not_looked_up():
    assert find_price("gpt-4o-mini", base_url=OPENAI, given=None, free=True) is FREE


def test_the_table_is_imported_only_for_public_endpoints_without_a_price():
    code = (
        "import sys\n"
        "from pipelines.llm.prices import Price, find_price\n"
        f"find_price('gpt-4o', base_url={OPENAI!r}, given=Price(input=1))\n"
        f"find_price('gpt-4o', base_url={OPENAI!r}, given=None, free=True)\n"
        "find_price('gpt-4o', base_url='http://localhost:8000/v1', given=None)\n"
        "print('genai_prices' in sys.modules)"
    )
    assert _printed(code) == "False"


def test_without_the_extra_prices_are_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert listed("gpt-4o-mini") is None
    assert find_price("gpt-4o-mini", base_url=OPENAI, given=FREE) is FREE


# --- list prices


@installed
@pytest.mark.parametrize(
    ("model", "url", "expected"),
    [
        ("gpt-4o-mini", OPENAI, Price(input=0.15, output=0.6, cached_input=0.075)),
        ("gpt-4o-mini", "HTTPS://API.OpenAI.com:443/v1/",
         Price(input=0.15, output=0.6, cached_input=0.075)),
        ("gpt-4.1", OPENAI, Price(input=2, output=8, cached_input=0.5)),
        ("gpt-4o", "https://my-team.openai.azure.com/openai/v1",
         Price(input=2.5, output=10, cached_input=1.25)),
        ("openai/gpt-4o-mini", "https://openrouter.ai/api/v1",
         Price(input=0.15, output=0.6, cached_input=0.075)),
        ("llama-3.3-70b-versatile", "https://api.groq.com/openai/v1",
         Price(input=0.59, output=0.79)),
        ("text-embedding-3-small", OPENAI, Price(input=0.02)),
    ],
)  # fmt: skip
def test_well_known_list_prices(model, url, expected):
    assert listed(model, url) == expected


@installed
def test_of_rates_by_length_the_dearest_is_taken():
    price = listed("gemini-2.5-pro", PROVIDERS["google"])
    assert price == Price(input=2.5, output=15, cached_input=0.25)


@installed
def test_a_cache_that_is_filled_unasked_is_counted_in():
    table = _model("openai", "gpt-5.6-sol").get_prices(datetime.now(UTC))
    written = max(tier.price for tier in table.cache_write_mtok.tiers)
    assert written > max(tier.price for tier in table.input_mtok.tiers)
    assert listed("gpt-5.6-sol").input == float(written)


@installed
def test_claude_fills_its_cache_only_when_asked():
    table = _model("anthropic", "claude-haiku-4-5").get_prices(datetime.now(UTC))
    assert table.cache_write_mtok > table.input_mtok
    price = listed("claude-haiku-4-5", PROVIDERS["anthropic"])
    assert price.input == float(table.input_mtok)


@installed
@pytest.mark.parametrize("name", PROVIDERS)
def test_no_bill_exceeds_a_list_price(name):
    """Whatever the length, the share that is cached and the hour of the day."""
    from genai_prices import Usage

    now = datetime.now(UTC)
    compared = 0
    provider = _provider(name)
    for model in provider.models:
        price = listed(model.id, PROVIDERS[name])
        if price is None or provider.find_model(model.id) is not model:
            continue
        for size in (1_000, 1_000_000):
            for cached in (0, size // 2):
                usage = Usage(input_tokens=size, output_tokens=500, cache_read_tokens=cached)
                for hours in range(0, 24, 4):
                    time = now + timedelta(hours=hours)
                    bill = model.calc_price(usage, provider, genai_request_timestamp=time)
                    most = price.worst(size, 500)
                    assert float(bill.total_price) <= most * (1 + 1e-12), model.id
                    compared += 1
    assert compared


@installed
@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o", "gpt-4.1-nano", "o3", "gpt-3.5-turbo",
                                   "text-embedding-3-large"])  # fmt: skip
def test_flat_prices_equal_the_bill(model):
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=12_345, output_tokens=678, cache_read_tokens=5_000)
    bill = calc_price(usage, model, provider_api_url=OPENAI)
    assert listed(model).cost(12_345, 678, 5_000) == pytest.approx(float(bill.total_price))


@installed
def test_the_price_of_a_call_is_part_of_it():
    table = _model("perplexity", "sonar-pro").get_prices(datetime.now(UTC))
    price = listed("sonar-pro", PROVIDERS["perplexity"])
    assert price.request == pytest.approx(float(table.requests_kcount) / 1000)
    assert price.cost(0, 0) > 0


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("gpt-4o-mini", "http://localhost:11434/v1"),
        ("gpt-4o-mini", "http://127.0.0.1:8000/v1"),
        ("gpt-4o-mini", "http://[::1]:8000/v1"),
        ("gpt-4o-mini", "https://10.1.2.3/v1"),
        ("gpt-4o", "http://localhost/x.openai.azure.com"),
        ("gpt-4o-mini", "https://llm.corp.internal/v1"),
        ("gpt-4o-mini", "https://gateway.example.com/v1"),
        ("gpt-4o-mini", "https://api.openai.com.proxy.example/v1"),
        ("no-such-model", OPENAI),
        ("my-deployment", "https://my-team.openai.azure.com/openai/v1"),
        ("whisper-1", OPENAI),  # by the minute
        ("gpt-4o-search-preview", OPENAI),  # and by the search
        ("openai/gpt-4o:online", "https://openrouter.ai/api/v1"),
        ("sonar-deep-research", PROVIDERS["perplexity"]),  # and by reasoning and citation
        ("meta-llama/llama-3.3-70b-instruct:free", "https://openrouter.ai/api/v1"),  # no figures
    ],
)
def test_unknown_prices(model, url):
    assert listed(model, url) is None


@installed
def test_nothing_is_fetched():
    code = (
        "import socket, threading\n"
        "def refuse(*args, **kwargs): raise AssertionError('network')\n"
        "socket.socket.connect = socket.socket.connect_ex = refuse\n"
        "socket.getaddrinfo = socket.create_connection = refuse\n"
        "from pipelines.llm.prices import find_price\n"
        f"price = find_price('gpt-4o-mini', base_url={OPENAI!r}, given=None)\n"
        "print(price.input, threading.active_count())"
    )
    assert _printed(code) == "0.15 1"


# --- the table's key


def test_the_digest_tells_tables_apart_and_ignores_their_order():
    cheap, dear = Price(input=1, output=2), Price(input=2, output=2)
    key = price_table_digest({"a": cheap, "b": dear})
    assert key == price_table_digest({"b": dear, "a": Price(input=1.0, output=2.0)})
    others = [{}, {"a": cheap}, {"a": dear, "b": cheap}, {"a": cheap, "c": dear},
              {"a": cheap, "b": Price(input=2, output=2, cached_input=2)}]  # fmt: skip
    assert len({key, *map(price_table_digest, others)}) == 1 + len(others)
    assert len(key) == 32


def _provider(name):
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot().find_provider(None, name, None)


def _model(provider, name):
    return next(model for model in _provider(provider).models if model.id == name)


def _printed(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()
