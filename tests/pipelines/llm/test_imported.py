import pytest

from pipelines.llm.imported import translated_by_name
from raytuner.component import ConfigError
from raytuner.ports.gate import Report


def raised(name, base=Exception):
    return type(name, (base,), {})("at https://me.example with sk-abcdefghijklmnopqrst")


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "report"),
    [
        (raised("ReadTimeout"), "timeout", True, Report(cost=None)),
        (TimeoutError(), "timeout", True, Report(cost=None)),
        (raised("RateLimitError"), "rate_limit", True, Report(throttled=True)),
        (raised("ThrottlingException"), "rate_limit", True, Report(throttled=True)),
        (raised("APIConnectionError"), "provider", True, Report(cost=None)),
        (raised("Odd", OSError), "provider", True, Report(cost=None)),
        (raised("ValidationError"), "provider", False, Report(cost=None)),
    ],
)
def test_names_of_errors(error, kind, retryable, report):
    failure, found = translated_by_name(error, "a:B")
    assert (failure.failure.kind, failure.failure.retryable, found) == (kind, retryable, report)
    assert "sk-abc" not in str(failure)


def test_a_refused_key_of_any_library_is_a_configuration_error():
    assert isinstance(translated_by_name(raised("AuthenticationError"), "a:B")[0], ConfigError)
