"""How the test endpoint behaves: models, limits, prices of nothing. JSON and back."""

from dataclasses import asdict, dataclass, field, replace

KEY = "sk-loopback-0123456789abcdefghijklmnop-test"
SKILLS = {"good-1": 0.95, "cheap-1": 0.6, "embed-1": 0.0}


@dataclass(frozen=True)
class Settings:
    """What can be set; `replace` and the endpoint's `configure` change some of it.

    Attributes:
        api_key: the only key accepted; None: any, or none.
        models: names that exist; None: every name.
        skills: chance to be right, per model, where all else is best; others have `skill`.
        skill: of a model that `skills` does not name.
        facts: part of a question -> the answer, given if the context supports it.
        knowledge: part of a question -> the answer, given without any context.
        latency: seconds before every answer.
        concurrency: requests at a time; one more is a 429 without Retry-After.
        requests_per_minute: enforced over `window`: in 2 s, 1/30 of it; None: no limit.
        tokens_per_minute: the same for tokens that are used.
        reserve_tokens: whether `max_tokens` of every choice count instead of the answer's.
        window: seconds over which limits per minute are enforced.
        context_window: most tokens of prompt and `max_tokens` together.
        max_n: most choices of a request.
        judge_noise: how far grades are off, on a scale of 0 to 1, by sample.
        insight: chance of a good piece of advice in a prompt that is to be improved.
        width: of embeddings, unless `dimensions` are asked for.
        usage: `exact`; `missing` (none is said); `changing` (other numbers every time).
    """

    api_key: str | None = KEY
    models: tuple[str, ...] | None = None
    skills: dict[str, float] = field(default_factory=lambda: dict(SKILLS))
    skill: float = 0.8
    facts: dict[str, str] = field(default_factory=dict)
    knowledge: dict[str, str] = field(default_factory=dict)
    latency: float = 0.0
    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    reserve_tokens: bool = False
    window: float = 60.0
    context_window: int = 128_000
    max_n: int = 128
    judge_noise: float = 0.05
    width: int = 64
    insight: float = 0.35
    usage: str = "exact"

    def with_(self, **changes):
        """Change some; lists become tuples, so that JSON will do."""
        if isinstance(changes.get("models"), list):
            changes["models"] = tuple(changes["models"])
        if changes.get("usage", "exact") not in ("exact", "missing", "changing"):
            raise ValueError(f"usage {changes['usage']!r} is not exact, missing or changing")
        return replace(self, **changes)

    def as_json(self):
        """Give plain data."""
        return asdict(self)
