"""What every chart is made of: escaped elements, scales, ticks, numbers, colours."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BLUE = "var(--rt-blue, #0072B2)"
GREEN = "var(--rt-green, #009E73)"
VERMILLION = "var(--rt-vermillion, #D55E00)"
ORANGE = "var(--rt-orange, #E69F00)"
INK = "currentColor"
PAPER = "var(--rt-paper, #ffffff)"
"""The page behind a chart: rings around points."""

RAMP = tuple(
    f"var(--rt-s{step}, {colour})"
    for step, colour in enumerate(
        ("#e6edf3", "#c3d7e8", "#92bad9", "#5598c6", "#0072b2", "#054a77")
    )
)
"""From least to best; lightness alone tells the steps apart."""
RAMP_INK = tuple(
    f"var(--rt-s{step}-ink, {colour})"
    for step, colour in enumerate(("#1a1a1a",) * 4 + ("#ffffff",) * 2)
)
"""Text on a step of the ramp."""

FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
MINUS = "\N{MINUS SIGN}"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


def escape(value: object) -> str:
    """Make any text harmless inside an element and inside a quoted attribute.

    Characters that XML forbids, lone surrogates among them, become U+FFFD.
    """
    return html.escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value)), quote=True)


def element(name: str, /, *content: str, **attributes: object) -> str:
    """Spell an element.

    Args:
        name: of the element.
        content: markup that is safe already.
        attributes: escaped here; None leaves one out, `_` stands for `-`, a last `_` is dropped.
    """
    spelt = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{spelt}>{''.join(content)}</{name}>"


def text(x: float, y: float, content: object, **attributes: object) -> str:
    """Write text at a point."""
    return element("text", escape(content), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> str:
    """Draw a straight line."""
    given = {"stroke": INK, **attributes}
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **given)


def figure(
    width: float,
    height: float,
    *content: str,
    title: str,
    desc: str,
    kind: str,
    linked: bool = False,
) -> str:
    """Put a chart together.

    Args:
        width: in CSS pixels where nothing scales it.
        height: likewise.
        content: elements.
        title: what the chart is, in a few words.
        desc: what it shows, in a sentence.
        kind: class name of this sort of chart.
        linked: whether there are links inside, which a screen reader should find.
    """
    return element(
        "svg",
        element("title", escape(title)),
        element("desc", escape(desc)),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="group" if linked else "img",
        aria_label=title if linked else None,
        class_=f"rt-chart rt-{kind}",
        font_family=FONT,
        font_size=13,
        fill=INK,
    )


def tip(content: object) -> str:
    """Say something where the pointer rests."""
    return element("title", escape(content))


def _value(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
    return value


class Scale(NamedTuple):
    """Maps numbers to pixels; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Give the pixel of a number."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """List round numbers within the scale, about one per 90 pixels."""
        return ticks(self.low, self.high, max(3, round(abs(self.end - self.start) / 90)))


def span(values: Iterable[float | None], *more: float, margin: float = 0.06) -> tuple[float, float]:
    """Give the range of the finite numbers, with a margin; never empty.

    Args:
        values: what is drawn.
        more: numbers that must lie inside.
        margin: share of the range that is added at each side.
    """
    found = [v for v in (*values, *more) if v is not None and math.isfinite(v)]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    pad = (high - low) * margin or max(abs(low) * 0.1, 1e-9 if low else 0.5)
    return low - pad, high + pad


def ticks(low: float, high: float, count: int) -> list[float]:
    """List about `count` round numbers from low to high: 1, 2, 2.5 or 5 times a power of ten."""
    reach = high - low
    if not math.isfinite(reach) or reach <= 0:
        return []
    raw = reach / max(count, 1)
    if raw < abs(low) * 1e-9:  # finer than numbers of this size can be told apart
        return []
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def number(value: float | None, digits: int = 3) -> str:
    """Spell a number for people; an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1e6 or 0 < size < 10**-digits / 2:
        return f"{value:.{max(digits - 1, 1)}e}".replace("-", MINUS)
    if size >= 1000:
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """Spell a difference, with its sign."""
    if value is None or not math.isfinite(value):
        return "–"
    spelt = number(abs(value), digits)
    if not spelt.strip("0."):
        return spelt
    return f"{'+' if value > 0 else MINUS}{spelt}"


def tick_label(value: float) -> str:
    """Spell a tick: as short as it is exact."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-4):
        return f"{value:.2g}".replace("-", MINUS)
    return f"{value:,.6f}".rstrip("0").rstrip(".").replace("-", MINUS) or "0"


def step_of(share: float) -> int:
    """Give the step of the ramp for a share between 0 and 1."""
    if not math.isfinite(share):
        return 0
    return min(len(RAMP) - 1, int(min(1.0, max(0.0, share)) * len(RAMP)))


def fit(content: str, width: float, size: float = 13) -> str:
    """Cut text to what fits into so many pixels, by an average width of letters."""
    most = max(3, int(width / (size * 0.54)))
    return content if len(content) <= most else f"{content[: most - 1]}…"


def x_axis(scale: Scale, y: float, *, top: float, labels: Sequence[str] | None = None) -> str:
    """Draw faint rules from `top` to `y` at round numbers, and the numbers below."""
    parts = []
    for position, value in enumerate(scale.ticks):
        x = scale(value)
        label = labels[position] if labels else tick_label(value)
        parts.append(line(x, top, x, y, stroke_opacity=0.13))
        parts.append(text(x, y + 16, label, text_anchor="middle", font_size=12, opacity=0.7))
    return "".join(parts)


def y_axis(scale: Scale, x: float, *, right: float) -> str:
    """Draw faint rules from `x` to `right` at round numbers, and the numbers at the left."""
    parts = []
    for value in ticks(scale.low, scale.high, max(2, round(abs(scale.end - scale.start) / 50))):
        y = scale(value)
        parts.append(line(x, y, right, y, stroke_opacity=0.13))
        label = tick_label(value)
        parts.append(text(x - 8, y + 4, label, text_anchor="end", font_size=12, opacity=0.7))
    return "".join(parts)
