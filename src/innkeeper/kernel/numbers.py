"""Numbers of events as exact decimals with six places, kept as integers of millionths ("micros").

Sums of integers do not depend on order, so facts do not either. What an expression makes of them
is in docs/expressions.md.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

MICRO = 1_000_000
#: Numbers at or beyond this magnitude are missing: they do not fit the columns of the bulk engine.
LIMIT = 10**30

_CONTEXT = Context(prec=80, rounding=ROUND_HALF_UP)
_PLACES = Decimal("0.000001")


def to_micro(value: object) -> int | None:
    """Millionths of a JSON number, rounded half away from zero; None for anything that is not a finite number.

    >>> to_micro(9.5), to_micro("9.5"), to_micro(True), to_micro(-0.0000005)
    (9500000, None, None, -1)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * MICRO if -LIMIT < value < LIMIT else None
    if isinstance(value, float):
        if value != value or not -1e30 < value < 1e30:
            return None
        # Far from a half, binary rounding gives the same millionths, five times as fast as decimals.
        nearest = round(value * 1e6) if -1e9 < value < 1e9 else None
        if nearest is not None and abs(value * 1e6 - nearest) < 0.4:
            return nearest
        scaled = Decimal(repr(value)).quantize(_PLACES, context=_CONTEXT)
        return int(scaled.scaleb(6, context=_CONTEXT))
    return None


def from_micro(micro: int) -> int | float:
    """The number of a count of millionths: an int where it is whole, else a float."""
    whole, rest = divmod(micro, MICRO)
    return whole if rest == 0 else micro / MICRO


def format_micro(micro: int) -> str:
    """The shortest decimal text of a count of millionths.

    >>> format_micro(9500000), format_micro(-1), format_micro(3000000)
    ('9.5', '-0.000001', '3')
    """
    sign = "-" if micro < 0 else ""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{sign}{whole}" + (f".{rest:06d}".rstrip("0") if rest else "")
