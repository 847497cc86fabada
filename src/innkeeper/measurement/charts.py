"""The charts of a report, as inline SVG: stacked columns, days, hours. Colours come from the page's CSS variables.

Every mark carries a `<title>`, so that a pointer or a screen reader gets the figure; the page gives a table besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from innkeeper.measurement.html import Html, number, tag

_WIDTH, _LEFT, _TOP, _BOTTOM = 960, 46, 12, 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One colour of a chart: its name, its CSS class and one value per column."""

    name: str
    css: str
    values: Sequence[int]


def stacked_columns(labels: Sequence[str], series: Sequence[Series], *, title: str, height: int = 340) -> Html:
    """Columns of stacked parts; the names stand beside the last column."""
    totals = [sum(one.values[place] for one in series) for place in range(len(labels))]
    scale = _Scale(max(totals, default=0), height)
    right = _WIDTH - 168
    step = (right - _LEFT) / max(1, len(labels))
    marks: list[Html] = [_grid(scale, right)]
    for place, label in enumerate(labels):
        marks.append(_column(place, label, series, scale, _LEFT + place * step, step))
    marks.append(_names(series, scale, right - step * 0.14 + 8))
    return _svg(marks, height, title)


def days(labels: Sequence[str], series: Sequence[Series], *, title: str, height: int = 220) -> Html:
    """A column per day; the labels that are not empty are written below."""
    totals = [sum(one.values[place] for one in series) for place in range(len(labels))]
    scale = _Scale(max(totals, default=0), height)
    step = (_WIDTH - _LEFT) / max(1, len(labels))
    marks: list[Html] = [_grid(scale, _WIDTH)]
    for place, label in enumerate(labels):
        x, low = _LEFT + place * step, 0
        for one in series:
            value = one.values[place]
            if value:
                marks.append(
                    tag("rect", x=_n(x), y=_n(scale.y(low + value)), width=_n(step),
                        height=_n(scale.y(low) - scale.y(low + value)), class_=one.css)
                )  # fmt: skip
            low += value
        if label:
            marks.append(tag("text", label, x=_n(x), y=height - 8, class_="axis"))
    return _svg(marks, height, title)


def hours(values: Sequence[int], shadows: Sequence[tuple[float, float]], *, title: str, height: int = 200) -> Html:
    """Twenty-four columns; *shadows* are the quiet hours, from and to."""
    scale = _Scale(max(values, default=0), height)
    step = (_WIDTH - _LEFT) / 24
    marks: list[Html] = []
    for first, last in shadows:
        marks.append(
            tag("rect", x=_n(_LEFT + first * step), y=_TOP, width=_n((last - first) * step),
                height=height - _BOTTOM - _TOP, class_="quiet")
        )  # fmt: skip
    marks.append(_grid(scale, _WIDTH))
    for hour, value in enumerate(values):
        x, y = _LEFT + hour * step, scale.y(value)
        if value:
            mark = tag("rect", tag("title", f"{hour:02d}:00 – {number(value)}"), x=_n(x + step * 0.14), y=_n(y),
                       width=_n(step * 0.72), height=_n(scale.y(0) - y), rx=2, class_="c-service")  # fmt: skip
            marks.append(mark)
        if hour % 3 == 0:
            marks.append(tag("text", f"{hour:02d}", x=_n(x + step / 2), y=height - 8, class_="axis middle"))
    return _svg(marks, height, title)


class _Scale:
    """From values to heights, with a round number at the top."""

    def __init__(self, largest: int, height: int) -> None:
        self.step = _round_step(max(1, largest))
        self.top = -(-max(1, largest) // self.step) * self.step
        self._height = height

    def y(self, value: float) -> float:
        """The height of a value; 0 lies at the bottom."""
        bottom = self._height - _BOTTOM
        return bottom - (bottom - _TOP) * value / self.top


def _round_step(largest: int) -> int:
    magnitude = 1
    while True:
        for factor in (1, 2, 5):
            if largest / (magnitude * factor) <= 5:
                return magnitude * factor
        magnitude *= 10


def _grid(scale: _Scale, right: float) -> Html:
    lines: list[Html] = []
    for value in range(0, scale.top + 1, scale.step):
        y = _n(scale.y(value))
        lines.append(tag("line", x1=_LEFT, x2=_n(right), y1=y, y2=y, class_="grid"))
        lines.append(tag("text", number(value), x=_LEFT - 8, y=_n(scale.y(value) + 4), class_="axis end"))
    return tag("g", lines)


def _column(place: int, label: str, series: Sequence[Series], scale: _Scale, x: float, step: float) -> Html:
    parts: list[Html] = []
    low = 0
    for one in series:
        value = one.values[place]
        if value:
            top, bottom = scale.y(low + value), scale.y(low)
            title = tag("title", f"{label}: {one.name} {number(value)}")
            parts.append(
                tag("rect", title, x=_n(x + step * 0.14), y=_n(top), width=_n(step * 0.72),
                    height=_n(max(0.5, bottom - top - 1)), class_=one.css)
            )  # fmt: skip
        low += value
    parts.append(tag("text", label, x=_n(x + step / 2), y=_n(scale.y(0) + 18), class_="axis middle"))
    return tag("g", parts)


def _names(series: Sequence[Series], scale: _Scale, x: float) -> Html:
    """Names beside the last column, pushed apart where they would touch."""
    placed: list[tuple[float, Series]] = []
    low = 0
    for one in series:
        value = one.values[-1] if one.values else 0
        placed.append((scale.y(low + value / 2), one))
        low += value
    marks: list[Html] = []
    floor = scale.y(0) + 4
    for y, one in placed:
        y = min(y + 4, floor)
        floor = y - 16
        text = tag("text", one.name, " ", tag("tspan", number(one.values[-1]), class_="figure"), x=_n(x + 16), y=_n(y))
        marks.append(tag("g", tag("rect", x=_n(x), y=_n(y - 9), width=10, height=10, rx=2, class_=one.css), text))
    return tag("g", marks, class_="names")


def _svg(marks: Sequence[Html], height: int, title: str) -> Html:
    return tag(
        "div",
        tag("svg", tag("title", title), list(marks), viewBox=f"0 0 {_WIDTH} {height}", role="img"),
        class_="chart",
    )


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
