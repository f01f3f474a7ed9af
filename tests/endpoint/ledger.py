"""What the test endpoint has been asked, what it answered, and what that costs by its own count."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Tokens(NamedTuple):
    """Tokens of prompts and of answers."""

    sent: int
    received: int

    @property
    def total(self):
        """Both."""
        return self.sent + self.received


@dataclass
class Record:
    """One request.

    Attributes:
        number: in order of arrival, from 0.
        kind: chat, embeddings or models.
        path: of the URL.
        model: as asked for.
        body: parsed; None for GET, or where it is no JSON.
        key_ok: whether it came with the right key.
        status: of the answer; None: none was sent (dropped, or the client left).
        fault: kind of the scripted fault that met it.
        answered: whether a usual answer was sent whole: an equal request is paid twice.
        billed: tokens charged.
        began: on the server's monotonic clock.
        ended: when it was done with.
    """

    number: int
    kind: str
    path: str
    model: str
    body: dict[str, Any] | None
    key_ok: bool
    began: float
    status: int | None = None
    fault: str | None = None
    answered: bool = False
    billed: Tokens = field(default_factory=lambda: Tokens(0, 0))
    ended: float | None = None
    digest: str = ""

    def __post_init__(self):
        self.digest = digest(self.kind, self.body)

    def samples(self):
        """Name its choices, if it is seeded: the same sample of other requests has that name."""
        if self.body is None or self.body.get("seed") is None:
            return []
        rest = {name: value for name, value in self.body.items() if name not in ("n", "seed")}
        seeds = (self.body["seed"] + choice for choice in range(self.body.get("n") or 1))
        return [digest(self.kind, rest, seed) for seed in seeds]


def digest(*parts):
    """Name plain data."""
    spelled = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(spelled.encode()).hexdigest()[:32]


class Ledger:
    """All requests in order, and counts over them."""

    def __init__(self):
        self.requests: list[Record] = []
        self.in_flight = 0
        self.in_flight_max = 0

    def begin(self, record):
        """Note a request."""
        self.requests.append(record)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight, self.in_flight_max)

    def end(self, record, moment):
        """Note that it is done with."""
        record.ended = moment
        self.in_flight -= 1

    def calls(self, kind=None, *, model=None, status=None, fault=None, containing=None):
        """Count requests; what is None does not matter. Looking at models is no call."""
        return sum(
            record.kind == kind if kind else record.kind != "models"
            for record in list(self.requests)
            if (model is None or record.model == model)
            and (status is None or record.status == status)
            and (fault is None or record.fault == fault)
            and (containing is None or containing in json.dumps(record.body, ensure_ascii=False))
        )

    @property
    def tokens(self):
        """All tokens charged."""
        return self._tokens()

    def _tokens(self, model=None):
        billed = [r.billed for r in list(self.requests) if model in (None, r.model)]
        return Tokens(sum(b.sent for b in billed), sum(b.received for b in billed))

    def usd(self, price_in, price_out, model=None):
        """Give the dollars charged, at dollars per million tokens of prompt and answer."""
        sent, received = self._tokens(model)
        return (sent * price_in + received * price_out) / 1_000_000

    def repeated(self):
        """Give bodies that were answered more than once, so paid for again."""
        return self._twice(lambda record: [record.digest])

    def repeated_samples(self):
        """Give bodies with a seeded sample that another answer had already brought."""
        return self._twice(Record.samples)

    def repeated_texts(self):
        """Give texts that were embedded more than once by a model."""
        counts = Counter(
            (record.model, text)
            for record in list(self.requests)
            if record.kind == "embeddings" and record.answered
            for text in _texts(record.body)
        )
        return [text for (_, text), count in counts.items() if count > 1]

    def _twice(self, names):
        seen, found = set(), []
        for record in list(self.requests):
            if not record.answered or record.kind == "models":
                continue
            own = names(record)
            if seen.intersection(own):
                found.append(record.body)
            seen.update(own)
        return found

    def stats(self):
        """Sum up as plain data."""
        records = [record for record in list(self.requests) if record.kind != "models"]
        sent, received = self.tokens
        return {
            "calls": len(records),
            "answered": sum(record.answered for record in records),
            "by_kind": dict(Counter(record.kind for record in records)),
            "by_model": {
                model: self._tokens(model)._asdict() for model in {r.model for r in records}
            },
            "by_status": dict(Counter(str(record.status) for record in records)),
            "by_fault": dict(Counter(record.fault for record in records if record.fault)),
            "tokens": {"sent": sent, "received": received},
            "in_flight": self.in_flight,
            "in_flight_max": self.in_flight_max,
            "repeated": len(self.repeated()),
            "repeated_samples": len(self.repeated_samples()),
            "repeated_texts": len(self.repeated_texts()),
        }

    def as_json(self):
        """Give every request as plain data."""
        return [{**asdict(record), "billed": list(record.billed)} for record in list(self.requests)]


def _texts(body):
    given = body.get("input")
    return [given] if isinstance(given, str) else list(given)
