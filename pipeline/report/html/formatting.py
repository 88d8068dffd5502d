"""Format numbers and times for the page."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
# The gauge's range, as powers of ten.
_LEAST, _MOST = -10.0, 0.0


def size(count: int | None) -> str:
    """Return a number of bytes with a unit.

    >>> size(40230), size(281), size(None)
    ('39.3 KiB', '281 B', 'unknown')
    """
    if count is None:
        return "unknown"
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def amount(count: int) -> str:
    """Return a large count with three digits.

    >>> amount(418467520), amount(16315376), amount(920)
    ('418 million', '16.3 million', '920')
    """
    for power, name in ((9, "billion"), (6, "million"), (3, "thousand")):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {name}"
    return str(count)


def seconds(value: float) -> str:
    """Return a duration as text.

    >>> seconds(0.0071), seconds(9.62), seconds(192)
    ('7 ms', '9.6 s', '3 min 12 s')
    """
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def moment(when: float) -> str:
    """Return a UTC time, to the minute.

    >>> moment(0)
    '1970-01-01 00:00 UTC'
    """
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")


def iso(when: float) -> str:
    """Return a time in ISO 8601."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def small(value: float) -> str:
    """Return a small number with two digits.

    >>> small(3.844e-6), small(0.0001), small(0)
    ('3.8e-6', '1e-4', '0')
    """
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}"
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def gauge_position(value: float) -> float:
    """Return the position of a difference on the logarithmic gauge, in percent.

    >>> gauge_position(1e-5), gauge_position(0), gauge_position(7)
    (50.0, 0.0, 100.0)
    """
    if not value > 0:
        return 0.0
    place = (math.log10(value) - _LEAST) / (_MOST - _LEAST) * 100
    return round(min(100.0, max(0.0, place)), 1)


def ticks(total: float) -> list[float]:
    """Return the tick marks of a time axis of ``total`` seconds: three to eight round numbers.

    >>> ticks(37.4), ticks(0.4)
    ([0.0, 10.0, 20.0, 30.0], [0.0, 0.1, 0.2, 0.3, 0.4])
    """
    if not total > 0:
        return [0.0]
    step = 10.0 ** math.floor(math.log10(total))
    for factor in (0.1, 0.2, 0.25, 0.5, 1.0):
        if total / (step * factor) <= 5:
            step *= factor
            break
    return [round(number * step, 9) for number in range(int(total / step + 1e-9) + 1)]
