"""Tools of a travel desk. Plain functions: what a docstring says is what a model goes by."""

from math import asin, cos, radians, sin, sqrt

_CITIES = {
    "Rome": (41.90, 12.50),
    "Oslo": (59.91, 10.75),
    "Paris": (48.86, 2.35),
    "Madrid": (40.42, -3.70),
    "Vienna": (48.21, 16.37),
    "Lisbon": (38.72, -9.14),
    "Athens": (37.98, 23.73),
    "Dublin": (53.35, -6.26),
    "Berlin": (52.52, 13.41),
    "Zurich": (47.37, 8.54),
}
_MONEY = {
    "Norway": "krone",
    "Japan": "yen",
    "Poland": "zloty",
    "Hungary": "forint",
    "Turkey": "lira",
    "Thailand": "baht",
    "India": "rupee",
    "Mexico": "peso",
    "Sweden": "krona",
    "Brazil": "real",
    "Kenya": "shilling",
    "Ghana": "cedi",
    "Vietnam": "dong",
    "Peru": "sol",
    "Malaysia": "ringgit",
    "Israel": "shekel",
}


def distance(start: str, end: str) -> str:
    """Look two places up in the atlas."""
    (lat1, lon1), (lat2, lon2) = (map(radians, _CITIES[city]) for city in (start, end))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return f"{2 * 6371 * asin(sqrt(half)):.0f} km"


def to_miles(kilometres: float) -> str:
    """Convert kilometres to miles."""
    return f"{kilometres * 0.621371:.0f} miles"


def currency(country: str) -> str:
    """Tell the currency that people pay with in a country."""
    return _MONEY[country]


def legends(place: str) -> str:
    """Tell how far travellers of old went, and what people in a country believed."""
    return f"Of {place} it is told that nobody ever came back"
